"""Starting programs and making sure that they end.

Every program gets a session of its own.  A watchdog, a shell that waits on a pipe
from us, kills what is left of that session when we are gone in whatever way, also
by SIGKILL; `with`, `stop` and the end of this program do it earlier.
"""

from __future__ import annotations

import contextlib
import os
import platform
import secrets
import signal
import subprocess
import sys
import threading
import time
import weakref
from collections.abc import Mapping, Sequence
from importlib.util import find_spec
from pathlib import Path
from typing import IO, Final, Protocol

from ymawky_kit.darwin.trace import TraceSink
from ymawky_kit.emu.event import SyscallEvent
from ymawky_kit.emu.exit import ExitStatus
from ymawky_kit.nameless import nameless
from ymawky_kit.source import KitError

#: What the isolated interpreter runs.
_LAUNCH: Final = Path(__file__).with_name("launch.py")

#: An option of the emulated process that means nothing to it: its forks are found by it.
_TOKEN: Final = "--token="


class Runner(Protocol):
    """A way to run a macOS executable."""

    name: str       # "native" or "emulated"

    def command(self, program: Path, args: Sequence[str] = ()) -> list[str]:
        """The argv that runs the program here; its death is the program's own."""
        ...

    def start(
        self,
        program: Path,
        args: Sequence[str] = (),
        *,
        cwd: Path | None = None,
        env: Mapping[str, str] | None = None,
        stdin: bytes | int | None = None,
        capture: bool = True,
        pass_fds: Sequence[int] = (),
    ) -> Process:
        """Start it; raises KitError when the file is missing or not executable.

        `stdin` is the bytes of a file (a pipe would hand them out as it likes), a
        descriptor, or None for nothing at all; with `capture=False` the three standard
        streams are ours.
        """
        ...


class Process:
    """A running program.  Leave a `with` block, or this program, and it is gone."""

    def __init__(
        self,
        popen: subprocess.Popen[bytes],
        sink: TraceSink | None = None,
        token: str | None = None,
    ) -> None:
        self._popen = popen
        self.pid = popen.pid
        self._sink = sink
        self._lock = threading.Condition()
        self._streams = {"output": bytearray(), "errors": bytearray()}
        self._open = 0
        self._watchdog = _watchdog(popen.pid)
        self._finalizer = weakref.finalize(self, _end, popen, self._watchdog, token)
        self._status: ExitStatus | None = None
        for name, pipe in (("output", popen.stdout), ("errors", popen.stderr)):
            if pipe is not None:
                self._open += 1
                thread = threading.Thread(
                    target=_drain, args=(weakref.ref(self), self._lock, name, pipe), daemon=True
                )
                thread.start()

    # --- what it said -----------------------------------------------------------------------

    @property
    def output(self) -> bytes:
        """Standard output so far."""
        with self._lock:
            return bytes(self._streams["output"])

    @property
    def errors(self) -> bytes:
        """Standard error so far."""
        with self._lock:
            return bytes(self._streams["errors"])

    def wait_for(self, text: bytes, timeout: float = 10.0, *, errors: bool = False) -> bytes:
        """Wait until the output holds `text`; returns the line that does.

        Raises KitError when the program ends, or `timeout` seconds pass, without it.
        """
        stream = self._streams["errors" if errors else "output"]
        deadline = time.monotonic() + timeout
        with self._lock:
            while True:
                at = stream.find(text)
                if at >= 0:
                    end = stream.find(b"\n", at)
                    if end >= 0:
                        return bytes(stream[stream.rfind(b"\n", 0, at) + 1:end])
                left = deadline - time.monotonic()
                if not self._open or left <= 0:
                    why = "ended" if not self._open else f"said nothing for {timeout:g} s"
                    said = bytes(self._streams["errors"])[-500:].decode(errors="replace").strip()
                    raise KitError.of(
                        f"the program {why} without {text.decode(errors='replace')!r}",
                        hint=f"it said on standard error: {said}" if said else None,
                    )
                self._lock.wait(min(left, 0.5))

    def trace(self) -> tuple[SyscallEvent, ...]:
        """Every system call so far, when the runner traces; in the order they returned."""
        return tuple(self._sink.events()) if self._sink is not None else ()

    # --- how it ends ------------------------------------------------------------------------

    @property
    def status(self) -> ExitStatus | None:
        """How it ended, None while it runs."""
        if self._status is None and self._popen.poll() is not None:
            self._status = exit_status(self._popen.returncode)
        return self._status

    def wait(self, timeout: float | None = None) -> ExitStatus:
        """Wait for the program itself, and for its output to be read.

        Raises TimeoutError after `timeout` seconds; the program then still runs.
        """
        try:
            code = self._popen.wait(timeout)
        except subprocess.TimeoutExpired:
            raise TimeoutError(f"still running after {timeout:g} s") from None
        self._status = exit_status(code)
        # A child may hold the pipes open; what the program itself wrote is here soon.
        deadline = time.monotonic() + 0.5
        with self._lock:
            while self._open and (left := deadline - time.monotonic()) > 0:
                self._lock.wait(left)
        return self._status

    def send_signal(self, number: int) -> None:
        """Send a host signal to the program, if it still runs; SIGKILL to all it started too."""
        if number == signal.SIGKILL:
            with contextlib.suppress(ProcessLookupError, PermissionError):
                os.killpg(self.pid, signal.SIGKILL)
        elif self._popen.poll() is None:
            self._popen.send_signal(number)

    def stop(self, timeout: float = 5.0) -> ExitStatus:
        """SIGTERM, then SIGKILL after `timeout` seconds; its children end too."""
        if self._popen.poll() is None:
            strays = _descendants(self.pid)
            self._popen.terminate()
            with contextlib.suppress(subprocess.TimeoutExpired):
                self._popen.wait(timeout)
            _kill(strays)
        self._finalizer()
        if self._sink is not None:
            self._sink.close()
        self._status = exit_status(self._popen.returncode)
        with self._lock:
            deadline = time.monotonic() + 1.0
            while self._open and (left := deadline - time.monotonic()) > 0:
                self._lock.wait(left)
        return self._status

    def kill(self) -> ExitStatus:
        """SIGKILL for the program and everything it started."""
        return self.stop(0)

    def __enter__(self) -> Process:
        return self

    def __exit__(self, *_: object) -> None:
        self.stop(2.0)


def exit_status(code: int) -> ExitStatus:
    """Popen's returncode, with a signal in Darwin's numbers."""
    if code >= 0:
        return ExitStatus(code)
    from ymawky_kit.darwin.host_signal import FROM_HOST

    return ExitStatus(0, FROM_HOST.get(-code, -code))


def _drain(
    owner: weakref.ref[Process], lock: threading.Condition, name: str, pipe: IO[bytes]
) -> None:
    fd = pipe.fileno()
    while True:
        data = os.read(fd, 1 << 16)
        process = owner()
        if process is None:
            break
        with lock:
            if data:
                process._streams[name] += data
            else:
                process._open -= 1
            lock.notify_all()
        del process
        if not data:
            break
    pipe.close()


def _watchdog(pid: int) -> subprocess.Popen[bytes]:
    """A shell that kills session `pid` unless it is told a word first."""
    script = f"if read word; then exit 0; fi; kill -s KILL -- -{pid} 2>/dev/null"
    return subprocess.Popen(
        ["/bin/sh", "-c", script],
        stdin=subprocess.PIPE, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL,
        start_new_session=True, cwd="/",
    )


def _end(
    popen: subprocess.Popen[bytes],
    watchdog: subprocess.Popen[bytes],
    token: str | None,
) -> None:
    """Kill what is left, collect it, and let the watchdog go."""
    strays = _descendants(popen.pid) if popen.poll() is None else []
    with contextlib.suppress(ProcessLookupError, PermissionError):
        os.killpg(popen.pid, signal.SIGKILL)
    _kill(strays)
    popen.wait()
    if token is not None:
        # Forked guests that left the session and lost their parent still carry the token.
        from ymawky_kit.darwin.host_process import processes_with_argument

        _kill(processes_with_argument(token))
    with contextlib.suppress(OSError, ValueError):
        if watchdog.stdin is not None:
            watchdog.stdin.write(b"done\n")
            watchdog.stdin.close()
    watchdog.wait()


def _kill(pids: Sequence[int]) -> None:
    for pid in pids:
        with contextlib.suppress(ProcessLookupError, PermissionError):
            os.kill(pid, signal.SIGKILL)


def _descendants(root: int) -> list[int]:
    from ymawky_kit.darwin.host_process import descendants

    return descendants(root)


def start_command(
    command: list[str],
    program: Path,
    *,
    cwd: Path | None = None,
    env: Mapping[str, str] | None = None,
    stdin: bytes | int | None = None,
    capture: bool = True,
    pass_fds: Sequence[int] = (),
    sink: TraceSink | None = None,
) -> Process:
    """Start the argv that `Runner.command` made; `program` is checked to be there."""
    if not program.is_file():
        raise KitError.of(f"{program}: no such file", hint="build it first: ymawky build")
    pipe = subprocess.PIPE if capture else None
    source: int | None = stdin if isinstance(stdin, int) else None
    if stdin is None and capture:
        source = subprocess.DEVNULL
    typed = nameless() if isinstance(stdin, bytes) else -1
    try:
        if isinstance(stdin, bytes):
            with open(typed, "wb", closefd=False) as file:
                file.write(stdin)
            os.lseek(typed, 0, os.SEEK_SET)
            source = typed
        popen = subprocess.Popen(
            command, stdin=source, stdout=pipe, stderr=pipe, cwd=cwd,
            env=None if env is None else dict(env), start_new_session=True, pass_fds=pass_fds,
        )
    except OSError as error:
        raise KitError.of(f"cannot start {program}: {error.strerror}") from None
    finally:
        if typed >= 0:
            os.close(typed)
    token = next((word for word in command if word.startswith(_TOKEN)), None)
    return Process(popen, sink, token)


class NativeRunner:
    """The kernel of this Mac runs it."""

    name = "native"

    def command(self, program: Path, args: Sequence[str] = ()) -> list[str]:
        return [str(program.resolve()), *args]

    def start(
        self,
        program: Path,
        args: Sequence[str] = (),
        *,
        cwd: Path | None = None,
        env: Mapping[str, str] | None = None,
        stdin: bytes | int | None = None,
        capture: bool = True,
        pass_fds: Sequence[int] = (),
    ) -> Process:
        return start_command(
            self.command(program, args), program, cwd=cwd, env=env, stdin=stdin,
            capture=capture, pass_fds=pass_fds,
        )


class EmulatedRunner:
    """The kit's Darwin runs it, in a Python process that behaves as the program."""

    name = "emulated"

    def __init__(
        self,
        *,
        slide: int = 0,
        strict: bool = False,
        plan: str | None = None,
        trace: bool = False,
        entries: bool = False,
        cover: int | None = None,
        report: bool = True,
        machine_code: bool = True,
    ) -> None:
        """`plan` is FaultPlan.to_json(); `trace` keeps every call for Process.trace().

        `entries` has calls traced when they begin as well, see TraceSink.  `cover` is
        the descriptor of a file to note in which instructions ran, see emu/native.py.
        `machine_code=False` does without the few host instructions of emu/native.py, as
        on hosts that have none: slower, and a loop without calls hears no signal.
        """
        self.machine_code = machine_code
        self.slide = slide
        self.strict = strict
        self.plan = plan
        self.trace = trace
        self.entries = entries
        self.cover = cover
        self.report = report

    def command(
        self,
        program: Path,
        args: Sequence[str] = (),
        *,
        trace: int | None = None,
        env: Mapping[str, str] | None = None,
    ) -> list[str]:
        """`env` is the environment that the argv will be started with; None is ours.

        `trace` is the descriptor of a TraceSink that the process must inherit.
        """
        from ymawky_kit.run.guest import Options

        options = Options(
            str(program.resolve()), list(args), slide=self.slide, strict=self.strict,
            plan=self.plan, quiet=not self.report, name=str(program),
            plain=not self.machine_code,
            trace=trace, entries=self.entries, cover=self.cover,
            token=secrets.token_hex(8),
            # In the C locale Python sets this for itself (PEP 538).
            without=None if "LC_CTYPE" in (os.environ if env is None else env) else "LC_CTYPE",
        )
        places = os.pathsep.join(_import_places())
        return [sys.executable, "-I", "-S", str(_LAUNCH), places, *options.words()]

    def start(
        self,
        program: Path,
        args: Sequence[str] = (),
        *,
        cwd: Path | None = None,
        env: Mapping[str, str] | None = None,
        stdin: bytes | int | None = None,
        capture: bool = True,
        pass_fds: Sequence[int] = (),
    ) -> Process:
        sink = TraceSink() if self.trace else None
        handed = [*pass_fds, *(fd for fd in (self.cover,) if fd is not None),
                  *([sink.fileno()] if sink is not None else [])]
        command = self.command(
            program, args, trace=sink.fileno() if sink is not None else None, env=env
        )
        return start_command(
            command, program, cwd=cwd, env=env, stdin=stdin, capture=capture, pass_fds=handed,
            sink=sink,
        )


def _import_places() -> list[str]:
    """Where the kit and its dependencies come from, for an interpreter without `site`."""
    places: list[str] = []
    for name in ("ymawky_kit", "unicorn", "capstone"):
        found = find_spec(name)
        if found is not None and found.origin is not None:
            place = str(Path(found.origin).resolve().parent.parent)
            if place not in places:
                places.append(place)
    return places


def can_run_natively() -> bool:
    """True on Apple silicon, also when Python itself is translated by Rosetta."""
    if sys.platform != "darwin":
        return False
    if platform.machine() == "arm64":
        return True
    done = subprocess.run(
        ["/usr/sbin/sysctl", "-n", "hw.optional.arm64"], capture_output=True, check=False
    )
    return done.stdout.strip() == b"1"


def runner(name: str | None = None) -> Runner:
    """The runner by name: "native", "emulated", or None for the default of this machine.

    Raises KitError when the machine cannot run macOS programs itself.
    """
    if name is None:
        return default_runner()
    if name == "emulated":
        return EmulatedRunner()
    if name != "native":
        raise KitError.of(f"no runner is called {name!r}", hint="native or emulated")
    if not can_run_natively():
        raise KitError.of(
            "this machine cannot run the program natively",
            hint="that takes a Mac with Apple silicon; leave --native away to emulate one",
        )
    return NativeRunner()


def default_runner() -> Runner:
    """Native where that is possible, emulated elsewhere; YMAWKY_RUNNER overrides it."""
    chosen = os.environ.get("YMAWKY_RUNNER")
    if chosen:
        return runner(chosen)
    return NativeRunner() if can_run_natively() else EmulatedRunner()
