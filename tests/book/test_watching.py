"""`watch`: the same lines every time, whatever the client or the fault plan does."""

from __future__ import annotations

import random
import subprocess
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from ymawky_kit.lab import watching
from ymawky_kit.lab.look import edit
from ymawky_kit.lab.magics import BENCH
from ymawky_kit.lab.watching import Watched, watch
from ymawky_kit.source import KitError

FILES = {"index.html": b"<p>hi", "big": random.Random(1).randbytes(3_000_000)}
PLAIN = b"GET / HTTP/1.1\r\nHost: example.org\r\n\r\n"


@pytest.fixture(autouse=True)
def clean_bench() -> Iterator[None]:
    BENCH.free.clear()
    BENCH.changed.clear()
    yield
    BENCH.free.clear()
    BENCH.changed.clear()


def names(watched: Watched, process: int) -> list[str]:
    return [call.text.partition("(")[0] for call in watched.calls if call.process == process]


def test_a_server_without_children_has_one_lane_from_accept_to_accept() -> None:
    seen = watch(FILES, "/", "serial")
    assert ["accept", "read", "gettimeofday", "writev", "close", "accept"] == names(seen, 1)
    assert [("", list(seen.calls))] == seen.lanes()
    assert ("", "waits") == (seen.calls[-1].result, seen.calls[-1].note)
    assert seen.text().splitlines()[-2].endswith("waits")
    assert 5 == seen.system_calls
    assert 200 == seen.exchange.status


def test_a_server_that_is_done_ends_with_exit() -> None:
    assert ["close", "exit"] == names(watch(FILES, "/", "once"), 1)[-2:]


def test_parent_and_child_have_lanes_with_names() -> None:
    seen = watch(FILES, "/", "children")
    assert ["the parent", "the child"] == [name for name, _ in seen.lanes()]
    assert ["accept", "fork", "close", "accept"] == names(seen, 1)
    assert "fork" == names(seen, 2)[0]
    assert "exit" == names(seen, 2)[-1]


def test_instructions_are_those_of_the_request_alone() -> None:
    """The count of tests/http/test_cost.py, which serves two requests and takes the second."""
    from ymawky_kit.darwin.trace import TraceSink
    from ymawky_kit.lab.play import Site, server_program
    from ymawky_kit.run import EmulatedRunner

    built = server_program("children")
    with Site(FILES, built, EmulatedRunner(trace=True)) as site:
        for _ in range(2):
            site.send(PLAIN)
        process = site.process
        while sum(e.name == "exit" for e in process.trace()) < 2:
            pass
        events = process.trace()
        assert isinstance(process._sink, TraceSink)
    parent = [e for e in events if e.process == 1]
    accepts = [n for n, e in enumerate(parent) if e.name == "accept"]
    own = sum(e.instructions for e in parent[accepts[0] + 1:accepts[1] + 1])
    child = sum(e.instructions for e in [e for e in events if e.process == 3][1:])
    seen = watch(FILES, PLAIN, built)
    assert own + child == seen.instructions
    assert f"{own} in the parent, {child} in the child" in seen.text()
    assert seen.instructions == sum(call.instructions or 0 for call in seen.calls)


def test_each_piece_is_one_read() -> None:
    pieces = [PLAIN[n:n + 9] for n in range(0, len(PLAIN), 9)]
    seen = watch(FILES, pieces)
    reads = [int(c.result) for c in seen.calls if c.text.startswith("read(")]
    assert [*map(len, pieces), 0] == reads
    assert PLAIN == seen.exchange.request
    assert "in 5 pieces" in seen.title


def test_clients_at_once_have_a_lane_each() -> None:
    seen = watch(FILES, requests=["/", "/none", PLAIN], program="file")
    assert ["the parent", "child 1", "child 2", "child 3"] == [name for name, _ in seen.lanes()]
    assert [200, 404, 200] == [exchange.status for exchange in seen.exchanges]
    assert 4 == names(seen, 1).count("accept")


def test_one_child_too_many_is_refused_by_the_parent() -> None:
    seen = watch(FILES, requests=["/", "/"], options=["--children", "1"])
    assert [200, 503] == [exchange.status for exchange in seen.exchanges]
    assert "proc_info(1, 6, a process, 0, …, 4096)" in seen.text()


def test_a_client_that_says_too_little_hangs_up_at_once() -> None:
    seen = watch(FILES, PLAIN[:9])
    assert 400 == seen.exchange.status
    assert ["9", "0"] == [c.result for c in seen.calls if c.text.startswith("read(")][:2]
    assert "a client that says nothing" == watch(FILES, b"").title


def test_a_patient_client_sees_the_deadline() -> None:
    seen = watch(FILES, PLAIN[:9], options=["--head-seconds", "1"], patience=5)
    assert 408 == seen.exchange.status


def test_a_fault_is_marked_and_survived() -> None:
    seen = watch(FILES, "/", plan=["read 1: short 3", "sendfile 1: short 40"])
    assert b"<p>hi" == seen.exchange.body
    assert 200 == seen.exchange.status
    assert 2 == sum(call.forced for call in seen.calls)
    assert "(made to happen)" in seen.text()


def test_a_plan_that_is_no_fault_starts_nothing(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(watching, "Site", None)
    with pytest.raises(KitError, match="'read 1 EINTR' is not a fault"):
        watch(FILES, plan="read 1 EINTR")


CASES: list[dict[str, Any]] = [
    {"request": "/big"}, {"request": "/", "plan": "fork 1: EAGAIN"},
    {"request": "/", "plan": "accept 1: ECONNABORTED"},
    {"request": "/", "plan": "sendfile 1: EINTR"}, {"request": "/", "plan": "read 1: EIO"},
    {"request": [PLAIN[:16], b"WRONG\r\n\r\n", b"more", b"and more"]},
    {"request": [PLAIN, b"more", b"and more"], "program": "serial"},
    {"requests": ["/", "/", "/big"], "options": ["--children", "2"]},
    {"requests": ["/", "/"], "program": "once"}, {"request": []},
]


def test_the_same_lines_on_a_busy_machine() -> None:
    quiet = [watch(FILES, **case).text() for case in CASES]
    burner = subprocess.Popen(["/bin/sh", "-c", "while :; do :; done"])
    try:
        assert quiet == [watch(FILES, **case).text() for case in CASES]
    finally:
        burner.kill()
        burner.wait()
    text = "\n".join(quiet)
    assert "0x" not in text
    assert "127.0.0.1" not in text


def test_a_child_that_crashes_is_shown_to_be_killed() -> None:
    edit("serve/connection", "connection_serve", "    mov     x20, #0\n",
         "    mov     x20, #0\n    str     x0, [x20]\n")
    seen = watch(FILES, "/", "children")
    assert "killed by signal 11 SIGSEGV" == seen.calls[-1].text
    assert 0 == seen.exchange.status
    assert names(seen, 1)[-1] == "accept", "the parent serves on"
    alone = watch(FILES, "/", "serial")
    assert "killed by signal 11 SIGSEGV" == alone.calls[-1].text


def test_a_server_in_a_loop_is_stopped(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(watching, "CALLS_MAX", 500)
    with pytest.raises(KitError, match="does not come to rest"):
        watch(FILES, "/", plan="accept all: ECONNABORTED")


def test_a_program_that_is_no_server_says_so() -> None:
    with pytest.raises(KitError, match="before it said where it serves"):
        watch({}, "/", "hello")
    with pytest.raises(KitError, match="no request to watch"):
        watch({}, requests=[])


def test_nothing_is_left_open() -> None:
    folder = "/proc/self/fd" if Path("/proc/self/fd").is_dir() else "/dev/fd"

    def everything() -> int:
        watch(FILES, "/", "children")
        with pytest.raises(KitError):
            watch({}, "/", "hello")
        return len(list(Path(folder).iterdir()))

    assert everything() == everything()
