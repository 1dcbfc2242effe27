"""The first servers: one reply, one client after the other, several at a time."""

from __future__ import annotations

from typing import Final

from ymawky_kit.blackbox.case import (
    Again,
    Ended,
    Expect,
    Leave,
    Matches,
    Recent,
    Send,
    Signal,
    Step,
    Talk,
    Want,
)
from ymawky_kit.blackbox.cases.asking import (
    GREETED,
    GREETING,
    HOST,
    SERVED,
    ask,
    bytewise,
    request,
    talk,
)

_GET: Final = request()
_HEAD_MAX: Final = 16384
_LIMIT: Final = "chapter 05: the head has room for 16,384 bytes; RFC 6585 5 (431)"
_START: Final = b"GET / HTTP/1.1\r\n" + HOST + b"X: "
#: Heads of exactly the most bytes there may be, and of one more.
_FULL: Final = _START + b"y" * (_HEAD_MAX - len(_START) - 4) + b"\r\n\r\n"
_TOO_MUCH: Final = _START + b"y" * (_HEAD_MAX - len(_START) - 3) + b"\r\n\r\n"
_INDEX: Final = ("index.html",)


def _crowd() -> tuple[Step, ...]:
    """Twenty clients with half a request, one with a whole one; then the halves end."""
    names = [f"client {n}" for n in range(1, 21)]
    halves = [Send((_GET[:20],), name) for name in names]
    rest: list[Step] = []
    for name in reversed(names):
        rest += ask(_GET[20:], SERVED, name)
    return (*halves, *ask(_GET, SERVED, "the last"), *rest)


REPLY: Final = (
    talk("reply", "a request gets a reply, and the connection ends", _GET, SERVED,
         "RFC 9112 2.1, 9.6", *_INDEX),
    talk("reply", "the reply says that the connection will be closed", _GET,
         Want((200,), {"Connection": "close"}),
         "RFC 9112 9.6: a server that closes says so", *_INDEX),
    talk("reply", "the reply says how long its body is", _GET,
         Want((200,), {"Content-Length": Matches(b"[0-9]+", "a number")}), "RFC 9110 8.6", *_INDEX),
    talk("reply", "the reply says what its body is", _GET,
         Want((200,), {"Content-Type": Matches(rb"text/[a-z]+(;.*)?", "a kind of text")}),
         "RFC 9110 8.3", *_INDEX),
    talk("reply", "the reply has the date, in GMT", _GET, Want((200,), {"Date": Recent()}),
         "RFC 9110 6.6.1, 5.6.7", *_INDEX),
    talk("reply", "a request may come byte by byte", bytewise(_GET), SERVED,
         "read(2): a stream has no messages; RFC 9112 2.2", *_INDEX),
    talk("reply", "the empty line may come in two pieces", (_GET[:-2], _GET[-2:]), SERVED,
         "read(2): a stream has no messages", *_INDEX),
    talk("reply", "the last byte may come alone", (_GET[:-1], _GET[-1:]), SERVED,
         "read(2): a stream has no messages", *_INDEX),
    talk("reply", "what comes behind a request is not answered", _GET + _GET,
         Want((200,), may_reset=True), "chapter 05: one request a connection", *_INDEX),
    talk("reply", "a head of 16,384 bytes is read", _FULL, SERVED, _LIMIT, *_INDEX),
    talk("reply", "a head of one byte more is refused", _TOO_MUCH,
         Want((431,), may_reset=True), _LIMIT),
    Talk("half a request and then the end is a bad request", "reply",
         "RFC 9112 8: an incomplete request is answered with an error",
         ask(_GET[:-1], Want((400,)), more=False)),
    Talk("a client that says nothing and leaves gets nothing", "reply",
         "chapter 05: there is nothing to answer", ask(b"", Want(), more=False)),
)

GREETING_CASES: Final = (
    talk("greeting", "the answer is the greeting, all 14 bytes of it", _GET, GREETED,
         "chapter 05"),
    talk("greeting", "the greeting is plain text", _GET,
         Want((200,), {"Content-Type": "text/plain"}, body=GREETING), "chapter 05; RFC 9110 8.3"),
    talk("greeting", "every path leads to the greeting", request("/any/where?x=y"), GREETED,
         "chapter 05: nobody reads the path yet"),
)

ANYTHING: Final = (
    talk("anything", "whatever is asked, the answer is the greeting", b"what you like\r\n\r\n",
         GREETED, "chapter 05: only the empty line is looked for"),
    talk("anything", "bytes that are no text do no harm", bytes(range(128, 256)) + b"\0\r\n\r\n",
         GREETED, "chapter 05: only the empty line is looked for"),
    talk("anything", "four bytes are enough", b"\r\n\r\n", GREETED,
         "chapter 05: CR LF CR LF ends a head, wherever it stands"),
    talk("anything", "a CR and another CR LF CR LF end the head", b"x\r\r\n\r\n", GREETED,
         "chapter 05: the search must not jump over the beginning of the end"),
    talk("anything", "the end is found across pieces", (b"x\r", b"\n\r", b"\n"), GREETED,
         "chapter 05: the search goes on three bytes before what is new"),
    Talk("line feeds alone end nothing", "anything", "RFC 9112 2.2: a line ends with CR LF",
         ask(b"GET / HTTP/1.1\n\n", Want((400,)), more=False)),
)

ONCE: Final = (
    Talk("after one client it ends with status 0", "once", "chapter 05",
         (*ask(_GET, GREETED), Ended(0))),
    Talk("after a client that said nothing it ends as well", "once", "chapter 05",
         (Send((b"",)), Leave(), Ended(0))),
)

_GONE: Final = "chapter 05: what a client does is its own affair; the next one is served"

SERIAL: Final = (
    Talk("twenty clients are served, one after the other", "serial", "chapter 05",
         tuple(step for n in range(1, 21) for step in ask(_GET, SERVED, f"client {n}")), _INDEX),
    Talk("who comes while another is served is served next", "serial",
         "listen(2): connections wait in a queue",
         (Send((_GET[:9],), "first"), Send((_GET,), "second"), Send((_GET[9:],), "first"),
          Expect(SERVED, "first"), Expect(SERVED, "second")), _INDEX),
    Talk("a client that leaves before it says anything does no harm", "serial", _GONE,
         (Send((b"",), "first"), Leave("first"), *ask(_GET, SERVED, "second")), _INDEX),
    Talk("a client that leaves in the middle does no harm", "serial", _GONE,
         (Send((_GET[:10],), "first"), Leave("first"), *ask(_GET, SERVED, "second")), _INDEX),
    Talk("a client that resets the connection in the middle does no harm", "serial", _GONE,
         (Send((_GET[:10],), "first"), Leave("first", reset=True), *ask(_GET, SERVED, "second")),
         _INDEX),
    Talk("a client that does not wait for its reply does no harm", "serial",
         "write(2): EPIPE, and a signal that ends the program unless it is ignored",
         tuple(step for n in range(1, 6) for step in (
             Send((_GET,), f"client {n}"), Leave(f"client {n}", reset=True))) + ask(
             _GET, SERVED, "the last"), _INDEX),
    Talk("after a refusal the next client is served", "serial", _GONE,
         (*ask(_TOO_MUCH, Want((431,), may_reset=True), "first"), *ask(_GET, SERVED, "second")),
         _INDEX),
    Talk("SIGTERM ends it with status 0", "serial", "chapter 05: main asks for that",
         (*ask(_GET, SERVED), Signal(15), Ended(0)), _INDEX),
    Talk("SIGINT ends it with status 0", "serial", "chapter 05: main asks for that",
         (*ask(_GET, SERVED), Signal(2), Ended(0)), _INDEX),
)

_AT_ONCE: Final = "chapter 06: a process for each connection"
_LINGER: Final = ("RFC 9112 9.6: a close with bytes unread resets the connection, and the reply "
                  "may be lost; so read on for a while")
_FULL_HOUSE: Final = "RFC 9110 15.6.4 (503), 10.2.3 (Retry-After)"
_IDLE: Final = tuple(Send((b"GET",), f"idle {n}") for n in range(1, 4))

CHILDREN: Final = (
    Talk("a slow client keeps nobody waiting", "children", _AT_ONCE,
         (Send((_GET[:9],), "slow"), *ask(_GET, SERVED, "quick"), *ask(_GET[9:], SERVED, "slow")),
         _INDEX),
    Talk("a client that says nothing keeps nobody waiting", "children", _AT_ONCE,
         (Send((b"",), "silent"), *ask(_GET, SERVED, "quick")), _INDEX),
    Talk("twenty slow clients keep nobody waiting, and are served in any order", "children",
         _AT_ONCE, _crowd(), _INDEX),
    Talk("a refusal can be read while the client still sends", "children", _LINGER,
         ask(_START + b"y" * 2_000_000 + b"\r\n\r\n", Want((431,)))),
    Talk("a reply can be read when more than a request was sent", "children", _LINGER,
         ask((_GET + b"x" * 300_000, b"x" * 300_000), SERVED), _INDEX),
    Talk("one client too many is told to come back", "children", _FULL_HOUSE,
         (*_IDLE, *ask(_GET, Want((503,), {"Retry-After": Matches(b"[0-9]+", "a number")}),
                       "one too many")), _INDEX, ("--children", "3")),
    Talk("when the crowd has gone, clients are served again", "children", _FULL_HOUSE,
         (*_IDLE, *(Leave(f"idle {n}") for n in range(1, 4)), Again(_GET, SERVED)), _INDEX,
         ("--children", "3")),
    Talk("where three at a time are allowed, sixty are served", "children",
         "chapter 06: children that have ended make room",
         (Again(_GET, SERVED),) * 60, _INDEX,
         ("--children", "3")),
)

CASES: Final = (*REPLY, *GREETING_CASES, *ANYTHING, *ONCE, *SERIAL, *CHILDREN)
