"""Judges of chapter 05: socket addresses, and a server in a slot."""

from __future__ import annotations

import random
import re
from collections.abc import Sequence
from struct import pack
from typing import Final

from ymawky_kit.darwin.abi import killed_by
from ymawky_kit.emu.plan import Fault, FaultPlan
from ymawky_kit.lab.exercise.grading import Judge, Wrong, outcome, trial
from ymawky_kit.lab.magics import BENCH
from ymawky_kit.lab.play import Client, Site
from ymawky_kit.lab.workbench import Program
from ymawky_kit.run import EmulatedRunner
from ymawky_kit.source import KitError
from ymawky_kit.view.core import count

_SIZE: Final = 16
_HUGE: Final = (1 << 64) - 1
_ERANGE: Final = 34
_EINVAL: Final = 22
_EINTR: Final = 4
_EPIPE: Final = 32
#: Clients in a row: more than there are descriptors, 256.
_MANY: Final = 300
_PATIENCE: Final = 3.0


def _sockaddr_write(name: str) -> str:
    chance = random.Random(51)
    cases = [(16, 16), (16, 24), (16, 300), (15, 15), (0, 0), (8, 8), (1, 1), (16, _HUGE),
             (16, 1 << 32)]
    cases += [(min(size, _SIZE) if size < 40 else 16, size)
              for size in (chance.randrange(60) for _ in range(60))]
    with trial(name) as hand:
        for number, (room, size) in enumerate(cases):
            address = 0x0100007F if number < 2 else chance.getrandbits(32)
            port = 8080 if number < 2 else chance.getrandbits(16)
            # Behind the struct there may be more of the caller's, in front of the wall.
            before = chance.randbytes(max(room, min(size, 300)))
            result, (left,) = hand.ask(before, size, address, port)
            told = f"A buffer of {count(size, 'byte')}"
            fits = size >= _SIZE
            if result.carry == fits or result.value != (_SIZE if fits else _ERANGE):
                raise Wrong(f"{told}: {outcome(result)}; it should be C "
                            + ("clear, x0 = 16." if fits else "set, x0 = 34 (ERANGE)."),
                            _write_hint(fits, size, result.carry, result.value))
            if not fits:
                if left != before:
                    raise Wrong(f"{told}: it does not fit, and yet the buffer was changed.",
                                "compare first, store later")
                continue
            wanted = pack("<BBH", 16, 2, port >> 8 | (port & 255) << 8) + pack("<I", address) \
                + bytes(8)
            if left[:_SIZE] != wanted:
                raise Wrong(f"Port {port}, address {wanted[4:8].hex(' ')}: the bytes are "
                            f"{left[:_SIZE].hex(' ')}, not {wanted.hex(' ')}.",
                            _bytes_hint(left, wanted))
            if left[_SIZE:] != before[_SIZE:]:
                raise Wrong(f"{told}: something behind the sixteen bytes was changed.",
                            "sixteen bytes and no more")
        return f"{count(hand.asked, 'buffer')}, and not one byte outside of the sixteen."


def _write_hint(fits: bool, size: int, carry: bool, value: int) -> str:
    if fits and size == _SIZE and carry:
        return "sixteen bytes are enough"
    if fits and size > 1 << 62:
        return "sizes have no sign: b.lo, not b.lt"
    if fits and size == 1 << 32:
        return "a size has 64 bits: compare x1, not w1"
    if fits and carry and value == _ERANGE:
        return "a buffer may be larger than it must be"
    if fits and carry:
        return "cmp leaves C set when the size is enough: carry_clear before ret"
    return ""


def _bytes_hint(left: bytes, wanted: bytes) -> str:
    if left[:2] == wanted[1::-1]:
        return "the length is the first byte, the family the second"
    if left[:2] != wanted[:2]:
        return "the first byte is 16, the length, and the second 2, the family"
    if left[2:4] == wanted[3:1:-1] != wanted[2:4]:
        return "the port is there, its high byte must come first: rev16"
    if left[4:8] == wanted[7:3:-1] != wanted[4:8]:
        return "the address is in network order already: store it as it is"
    if left[8:16] != wanted[8:16]:
        return "the last eight bytes are zeros"
    return ""


def _sockaddr_port(name: str) -> str:
    chance = random.Random(52)
    tail = bytes((127, 0, 0, 1)) + bytes(8)
    cases = [bytes((16, 2, 0x1F, 0x90)) + tail, bytes((16, 2, 0, 80)) + tail,
             bytes((16, 2, 0xFF, 0xFE)) + tail, bytes((16, 30, 0x1F, 0x90)) + tail,
             bytes((16, 0, 0x1F, 0x90)) + tail, b"", b"\x10", bytes((16, 2)),
             bytes((16, 2, 0x1F, 0x90)), (bytes((16, 2, 0x1F, 0x90)) + tail)[:15],
             bytes((28, 30)) + bytes(26), bytes((28, 2, 0x1F, 0x90)) + bytes(24),
             bytes((16, 1)) + b"/tmp/a.socket\0"]
    cases += [bytes((16, chance.choice((2, 2, 2, 30, 1)))) + chance.randbytes(14)
              for _ in range(100)]
    with trial(name) as hand:
        for data in cases:
            result, (left,) = hand.ask(data, len(data))
            right = len(data) == _SIZE and data[1] == 2
            wanted = int.from_bytes(data[2:4], "big") if right else _EINVAL
            if left != data:
                raise Wrong(f"The bytes {data.hex(' ')} were changed.", "only look: no store")
            if (result.carry, result.value) != (not right, wanted):
                shown = data.hex(" ") or "nothing at all"
                raise Wrong(f"{count(len(data), 'byte')}, {shown}: {outcome(result)}; it should "
                            f"be C {'clear' if right else 'set'}, x0 = {wanted}.",
                            _port_hint(data, right, result.carry, result.value))
        return f"{count(hand.asked, 'address', 'addresses')}, nothing read behind the last byte."


def _port_hint(data: bytes, right: bool, carry: bool, got: int) -> str:
    if right and got == int.from_bytes(data[2:4], "little") and not carry:
        return "the high byte comes first: rev16"
    if right and carry and got == int.from_bytes(data[2:4], "big"):
        return "the port is right; cmp has left C set: carry_clear before ret"
    if right and carry:
        return "the family is one byte, the second: ldrb"
    if not right and not carry and len(data) != _SIZE:
        return "an IPv4 address has 16 bytes"
    if not right and not carry:
        return "another family has no IPv4 port: AF_INET is 2"
    return ""


def _echo(name: str) -> str:
    """One client after the other, pieces of all sizes, and calls that go wrong."""
    try:
        program = BENCH.build("once", {"serve/once": name})
    except KitError as error:
        raise Wrong(f"The server cannot be linked: {error}",
                    "the function in the slot is called serve_run"
                    if "'serve_run'" in str(error) else "") from None
    chance = random.Random(53)
    talks = [[b"hello\n"], [b"x"], [], [b"one", b"two", b"three"], [b"\0\xff" * 50],
             [chance.randbytes(50_000)], [b"last"]]
    with _site(program, trace=True) as site:
        for number, pieces in enumerate(talks, 1):
            _talk(site, pieces, f"Client {number}")
        _look_at_room(name, program, site)
    # The server has made five writes when it begins to serve: the line that it prints.
    with _site(program, Fault("write", 6, short=2), Fault("read", 2, error=_EINTR),
               Fault("write", 8, error=_EINTR)) as site:
        _talk(site, [b"hello, world\n", b"again"], "With a short write and signals, client 1")
    for call, nth in (("read", 1), ("write", 6)):
        with _site(program, Fault(call, nth, error=_EPIPE)) as site:
            told = f"When the first {call} fails, "
            with _connect(site, f"{told}client 1") as lost:
                lost.send(b"x")
                _must_end(lost, f"{told}client 1")
            _talk(site, [b"still there?"], f"{told}client 2")
    with _site(program) as site:
        for number in range(1, _MANY + 1):
            _talk(site, [b"%d" % number], f"Client {number} of {_MANY}")
    with trial("serve_run", "accept 1: EIO", program=program) as hand:
        try:
            result, _ = hand.ask(3)
        except Wrong as wrong:
            raise Wrong(f"When accept fails: {wrong}", "give up: x0 = 1, and ret, with everything "
                        "as it was") from None
        if result.value != 1:
            raise Wrong(f"When accept fails, serve_run gave back {result.value}, not 1.",
                        "give up: x0 = 1, and ret")
    return f"{count(len(talks) + _MANY + 5, 'client')}, one after the other, every byte came back."


def _site(program: Program, *faults: Fault, trace: bool = False) -> Site:
    plan = FaultPlan(faults).to_json() if faults else None
    return Site({}, program, EmulatedRunner(strict=True, report=False, plan=plan, trace=trace))


def _look_at_room(name: str, program: Program, site: Site) -> None:
    """A read may not ask for more than the cell has room for, unless that is on the stack."""
    if re.search(r"\bx1, *sp\b", BENCH.free[name]):
        return
    room = sum(section.size for made in program.objects if made.name == "cell"
               for section in made.sections if section.name != "__text")
    asked = max((int(event.arguments[2]) for event in site.process.trace()
                 if event.name == "read"), default=0)
    if room and asked > room:
        raise Wrong(f"It reads up to {count(asked, 'byte')} into room for {room}.",
                    "the size that a read is told is the size of its buffer")


def _connect(site: Site, told: str) -> Client:
    try:
        return site.connect()
    except (OSError, KitError):
        raise _over(site, told) or Wrong(f"{told} could not connect.") from None


def _over(site: Site, told: str) -> Wrong | None:
    """What to say when the server has ended, or is about to."""
    try:
        status = site.process.wait(0.5)
    except TimeoutError:
        return None
    if status.signal:
        return Wrong(f"{told} found nobody: the server was {killed_by(status.signal)}.",
                     "build it with swap, and trace it")
    return Wrong(f"{told} found nobody: the server has ended, with exit status {status.code}.",
                 "after one client comes the next: jump back to accept, with the listening "
                 "socket in x0")


def _talk(site: Site, pieces: Sequence[bytes], told: str) -> None:
    """Every piece must come back before the next is sent, and the end after the end."""
    with _connect(site, told) as client:
        for piece in pieces:
            client.send(piece)
            while client.received < client.sent and not client.ended \
                    and client.answered(_PATIENCE):
                client.collect()
            if client.received < client.sent:
                if client.ended and (over := _over(site, told)):
                    raise over
                ended = ", and the connection was closed" if client.ended else ""
                raise Wrong(f"{told} has sent {count(client.sent, 'byte')} and got "
                            f"{client.received} back{ended}.", _short_hint(client))
        client.finish()
        _must_end(client, told)
        sent, back = b"".join(pieces), client.receive().reply
    if back != sent:
        raise Wrong(f"{told} sent {_some(sent)} and got {_some(back)} back.",
                    "send back what was read: its address, and as many bytes as the read gave")


def _some(data: bytes) -> str:
    return repr(data) if len(data) <= 30 else f"{data[:30]!r}… ({count(len(data), 'byte')})"


def _short_hint(client: Client) -> str:
    if client.ended:
        return "go on until a read gives 0 bytes; fd_write_all writes every byte, fd_write may not"
    return "who waits for more than has come? send back what one read has brought"


def _must_end(client: Client, told: str) -> None:
    """The server must close, whatever it still sends."""
    while not client.ended and client.answered(_PATIENCE):
        client.collect()
    if not client.ended:
        raise Wrong(f"{told} sends no more, and the connection stays open.",
                    "a read of 0 bytes is the end: fd_close, with the descriptor of the connection")


FUNCTIONS: Final[dict[str, Judge]] = {
    "sockaddr_write": _sockaddr_write, "sockaddr_port": _sockaddr_port, "echo": _echo,
}
