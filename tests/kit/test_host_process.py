"""What the host says about its processes, by /proc and by ps."""

from __future__ import annotations

import os
import subprocess
import sys
import time
from pathlib import Path

import pytest

from ymawky_kit.darwin import host_process


def ours() -> set[int]:
    return {pid for pid, parent, *_ in host_process.host_processes() if parent == os.getpid()}


@pytest.mark.skipif(not Path("/bin/ps").exists(), reason="needs ps: apt install procps")
def test_ps_lists_our_children_and_not_itself(monkeypatch: pytest.MonkeyPatch) -> None:
    before = ours()
    monkeypatch.setattr(host_process.os.path, "isdir", lambda _: False)
    with subprocess.Popen([sys.executable, "-c", "input()"], stdin=subprocess.PIPE) as child:
        with_child = ours()
        child.communicate(b"\n")
    assert before | {child.pid} == with_child
    assert before == ours()


@pytest.mark.skipif(not Path("/bin/ps").exists(), reason="needs ps: apt install procps")
@pytest.mark.parametrize("by_ps", [False, True])
def test_who_waits_is_not_busy(by_ps: bool, monkeypatch: pytest.MonkeyPatch) -> None:
    if by_ps:
        monkeypatch.setattr(host_process.os.path, "isdir", lambda _: False)
    code = "print(flush=True)\nwhile not {}: pass\nimport time; time.sleep(9)"
    with subprocess.Popen([sys.executable, "-c", code.format(0)],
                          stdout=subprocess.PIPE) as works, \
            subprocess.Popen([sys.executable, "-c", code.format(1)],
                             stdout=subprocess.PIPE) as waits:
        try:
            for process in (works, waits):
                assert process.stdout is not None
                assert b"\n" == process.stdout.readline()
            while waits.pid in host_process.busy(os.getpid()):
                time.sleep(0.01)
            assert works.pid in host_process.busy(os.getpid())
        finally:
            works.kill()
            waits.kill()


@pytest.mark.skipif(not Path("/bin/ps").exists(), reason="needs ps: apt install procps")
def test_a_zombie_is_told_from_the_living_in_both_ways(monkeypatch: pytest.MonkeyPatch) -> None:
    with subprocess.Popen([sys.executable, "-c", "input()"], stdin=subprocess.PIPE) as living:
        pid = os.fork()
        if pid == 0:
            os._exit(0)
        os.waitid(os.P_PID, pid, os.WEXITED | os.WNOWAIT)
        found = [host_process.zombies(os.getpid())]
        monkeypatch.setattr(host_process.os.path, "isdir", lambda _: False)
        found.append(host_process.zombies(os.getpid()))
        os.waitpid(pid, 0)
        assert [[pid], [pid]] == found
        living.communicate(b"\n")
    assert [] == host_process.zombies(os.getpid())
