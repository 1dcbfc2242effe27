"""Servers with many processes, as the notebooks watch them."""

from __future__ import annotations

from collections.abc import Iterator

import psutil
import pytest

from ymawky_kit.lab import children, coverage, edit, observe, serve, undo
from ymawky_kit.lab.magics import BENCH
from ymawky_kit.source import KitError

HELLO = b"GET / HTTP/1.1\r\n\r\n"


@pytest.fixture(autouse=True)
def nothing_is_left() -> Iterator[None]:
    BENCH.changed.clear()
    before = {child.pid for child in psutil.Process().children(recursive=True)}
    yield
    BENCH.changed.clear()
    assert before == {child.pid for child in psutil.Process().children(recursive=True)}


def test_children_are_counted_while_they_live() -> None:
    with serve({}, "children") as site:
        clients = [site.connect() for _ in range(3)]
        assert (3, 0) == (lambda found: (found.alive, found.zombies))(children(site, alive=3))
        clients[0].close()
        assert "2 alive, 0 zombies" == children(site, alive=2).text()
        assert "2 alive" in children(site).html()


def test_a_wrong_count_is_an_error(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("ymawky_kit.lab.crowd.ANSWER_SECONDS", 0.1)
    with serve({}, "children") as site, pytest.raises(KitError, match=r"0 alive.*not 1 alive"):
        children(site, alive=1)


def test_zombies_are_seen() -> None:
    edit("serve/fork", "serve_run", "    bl      signal_ignore\n", "")
    with serve({}, "children") as site:
        for _ in range(2):
            site.send(HELLO)
        assert "0 alive, 2 zombies" == children(site, alive=0).text()
    undo()


def test_observed_lanes_are_the_same_every_time() -> None:
    texts = set()
    for _ in range(2):
        with observe({}, "children", plan="fork 2: EAGAIN") as site:
            assert [200, 503, 200] == [site.send(HELLO).status if n != 1 else
                                       site.connect().receive().status for n in range(3)]
            children(site, alive=0)
            assert [5, 5, 5] == site.answers("accept")
            texts.add(site.timeline("three").text())
    assert 1 == len(texts)
    (text,) = texts
    assert "fork()" in text
    assert "child 2, x1 = 1" in text
    assert "EAGAIN (35)  (made to happen)" in text
    assert "waits" in text


def test_a_fault_may_be_for_one_child() -> None:
    with observe({}, "children", plan=["any 1 in child 2: EIO", "read 2 in child 1: EIO"]) as site:
        assert [200, 200] == [site.get("/").status for _ in range(2)]
        assert {"EIO", 0} >= set(site.answers("close", 3))
        assert [(2, "read", "EIO"), (3, "close", "EIO")] == sorted(
            (one.process, one.name, one.error) for one in site.events if one.injected)


def test_a_signal_ends_the_first_process_alone() -> None:
    with observe({}, "children") as site:
        client = site.connect()
        client.send(HELLO[:-2])
        site.until(lambda events: any(e.name == "read" for e in events))
        assert "exit 0" == site.terminate()
        client.send(HELLO[-2:])
        assert 200 == client.receive().status
    assert coverage("platform/darwin/signal", "signal_leave").percent == 100
