"""A server and its clients, as notebooks have them: answers, failures, nothing left behind."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from ymawky_kit.lab import play
from ymawky_kit.lab.look import build, edit
from ymawky_kit.lab.magics import BENCH, run_cell
from ymawky_kit.lab.play import serve
from ymawky_kit.source import KitError
from ymawky_kit.view.exchange import Exchange

FILES = {"index.html": b"<p>hi", "d/e.txt": b"deep"}
PLAIN = b"GET / HTTP/1.1\r\nHost: example.org\r\n\r\n"


@pytest.fixture(autouse=True)
def clean_bench() -> Iterator[None]:
    BENCH.free.clear()
    BENCH.changed.clear()
    yield
    BENCH.free.clear()
    BENCH.changed.clear()


def descriptors() -> int:
    folder = "/proc/self/fd" if Path("/proc/self/fd").is_dir() else "/dev/fd"
    return len(list(Path(folder).iterdir()))


def test_a_site_answers_and_is_gone_when_stopped() -> None:
    site = serve(FILES)
    try:
        assert (200, b"<p>hi") == (site.get("/").status, site.get("/").body)
        assert b"deep" == site.get("/d/e.txt").body
        assert 404 == site.get("/none").status
        assert b"" == site.get("/", "HEAD").body
    finally:
        site.stop()
    site.stop()
    with pytest.raises(KitError, match="nobody is there"):
        site.get("/")


def test_its_files_can_be_changed_while_it_runs() -> None:
    with serve(FILES) as site:
        (site.folder / "index.html").write_bytes(b"<p>another")
        assert b"<p>another" == site.get("/").body
        folder = site.folder
    assert not folder.parent.exists()


def test_options_go_to_the_server() -> None:
    with serve({**FILES, "errors/404.html": b"<p>mine"}, None, "--errors", "errors") as site:
        assert b"<p>mine" == site.get("/none").body


def test_a_request_may_come_in_pieces() -> None:
    with serve(FILES, "children") as site:
        pieces = [PLAIN[:3], PLAIN[3:30], PLAIN[30:]]
        exchange = site.send(pieces)
        assert (PLAIN, 200) == (exchange.request, exchange.status)
    with serve(FILES) as site:
        assert b"<p>hi" == site.send([PLAIN[n:n + 9] for n in range(0, len(PLAIN), 9)]).body


def test_a_client_speaks_and_listens_step_by_step() -> None:
    with serve(FILES) as site, site.connect() as client:
        client.send(PLAIN[:5])
        assert not client.answered(0.1)
        client.send(PLAIN[5:])
        assert client.answered(5)
        assert b"HTTP/1.1 " == client.receive_some(9)
        exchange = client.receive()
        assert (PLAIN, 200, b"<p>hi") == (exchange.request, exchange.status, exchange.body)
        assert b"" == client.receive_some(1)
        assert exchange.reply == client.receive().reply
    client.close()


def test_the_second_client_of_a_serial_server_waits_for_the_first() -> None:
    with serve(FILES, "serial") as site:
        first, second = site.connect(), site.connect()
        second.send(PLAIN)
        assert not second.answered(0.2)
        first.send(PLAIN)
        assert 200 == first.receive().status
        first.close()
        assert 200 == second.receive().status


def test_a_client_that_gets_nothing_says_so() -> None:
    with serve(FILES) as site:
        exchange = _silent(site)
        assert (0, b"", b"") == (exchange.status, exchange.head, exchange.body)
        assert "nothing came back" in exchange.text()
        assert "nothing came back" in exchange.html()
        assert "the server answers, 0 bytes" in exchange.bytes().text()


def _silent(site: play.Site) -> Exchange:
    with site.connect() as client:
        client.finish()
        return client.receive()


def test_a_server_that_says_nothing_for_long_is_given_up(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(play, "ANSWER_SECONDS", 0.2)
    with serve(FILES) as site, site.connect() as client:
        client.send(PLAIN[:10])
        with pytest.raises(KitError, match=r"sent nothing for 0\.2 seconds"):
            client.receive()


def test_a_program_that_is_no_server_says_so() -> None:
    with pytest.raises(KitError, match="before it said where it serves"):
        serve({}, "hello")


def test_a_program_that_never_says_that_it_serves_is_ended(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(play, "START_SECONDS", 0.6)
    run_cell("mute", "func main\n    b main\n")
    with pytest.raises(KitError, match=r"said nothing for 0\.6 s without 'serving'"):
        serve({}, "mute")


def test_a_wrong_option_is_the_servers_to_complain_about() -> None:
    with pytest.raises(KitError, match="before it said where it serves") as caught:
        serve({}, None, "--prot", "1")
    assert "--prot" in str(caught.value)


def test_a_server_that_ends_by_itself_tells_how() -> None:
    with serve(FILES, "once") as site:
        assert 200 == site.get("/").status
        done = site.wait()
    assert 0 == done.status
    assert "http://127.0.0.1:(a port)/" in done.text()


def test_a_server_that_dies_in_the_middle_leaves_the_client_with_nothing() -> None:
    edit("serve/connection", "connection_serve", "    mov     x20, #0\n",
         "    mov     x20, #0\n    str     x0, [x20]\n")
    with serve(FILES, "serial") as site:
        assert 0 == site.get("/").status
        assert -11 == site.wait().status
    with serve(FILES, "children") as site:
        assert [0, 0] == [site.get("/").status, site.get("/").status], "only the child died"


def test_nothing_is_left_open() -> None:
    build("hello")

    def everything() -> None:
        with serve(FILES, "children") as site:
            site.send([PLAIN[:3], PLAIN[3:]])
            site.connect()
            with site.connect() as client:
                client.send(PLAIN)
                client.receive()
        with pytest.raises(KitError):
            serve({}, "hello")

    everything()
    before = descriptors()
    for _ in range(3):
        everything()
    assert before == descriptors()
