"""A program's first state, and replacing one program by another.

The first state is what XNU (exec_mach_imgact, exec_copyout_strings in
bsd/kern/kern_exec.c) and dyld's `start` leave to `main`: the argument block on the
stack, x0-x3, and lr pointing at something that calls exit.
"""

from __future__ import annotations

import os
import stat
from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Final

from ymawky_kit.darwin import abi, host_signal
from ymawky_kit.darwin.clock import map_commpage
from ymawky_kit.darwin.errno import E2BIG, EACCES, ENOENT, ENOEXEC, Errno, from_host
from ymawky_kit.darwin.task import ProcessEnd
from ymawky_kit.emu.cpu import NZCV, PC, SP, Cpu
from ymawky_kit.emu.loader import Loaded, load
from ymawky_kit.emu.memory import EXECUTE, PAGE, READ, WRITE, Memory
from ymawky_kit.source import KitError

if TYPE_CHECKING:
    from ymawky_kit.darwin.kernel import Kernel
    from ymawky_kit.darwin.task import Task

STACK_TOP: Final = 0x1_6FE0_0000
STACK_SIZE: Final = 8372224         # RLIMIT_STACK: 8 MiB less one page
#: A page of our own where dyld would be.
STUB: Final = 0x1_8000_0000
#: exit(x0), where a program's first function returns to.
EXIT_STUB: Final = STUB
#: brk, where functions called by `Machine.call` return to.
RETURN_STUB: Final = STUB + 0x100
_STUB_CODE: Final = bytes.fromhex("300080d2011000d4")     # mov x16, #1; svc #0x80
_RETURN_CODE: Final = bytes.fromhex("202b20d4")              # brk #0x159

_MACHO_MAGIC: Final = b"\xcf\xfa\xed\xfe"


@dataclass(frozen=True, slots=True)
class Start:
    """Where the argument block is."""

    stack: int          # sp at entry; points at the mach header's address
    argv: int
    envp: int
    apple: int


def prepare(
    memory: Memory,
    cpu: Cpu,
    loaded: Loaded,
    argv: Sequence[bytes],
    env: Sequence[bytes],
    path: bytes,
    *,
    strict: bool = False,
) -> Start:
    """Map the stack and the stub, build the argument block, set the registers.

    Raises Errno(E2BIG) when arguments and environment pass 1 MiB.
    """
    map_commpage(memory)
    cpu.vet(*loaded.text)
    memory.map(STUB, PAGE, READ | EXECUTE, READ | EXECUTE, name="dyld", permanent=True)
    memory.poke(EXIT_STUB, _STUB_CODE)
    memory.poke(RETURN_STUB, _RETURN_CODE)
    top = STACK_TOP - (loaded.slide & -PAGE)
    bottom = top - STACK_SIZE
    memory.map(bottom, STACK_SIZE, READ | WRITE, READ | WRITE, name="stack")
    if strict:
        cpu.guard_stack(bottom, top)
    start = _argument_block(memory, loaded, argv, env, path, top)
    general = cpu.general
    for number in range(31):
        # Nothing may be expected in the rest: junk shows who does.
        general[number] = 0xBAD0_0000_0000_0000 | number
    general[0] = len(argv)
    general[1] = start.argv
    general[2] = start.envp
    general[3] = start.apple
    general[30] = EXIT_STUB
    general[SP] = start.stack
    general[PC] = loaded.entry
    general[NZCV] = 0
    cpu.store()
    return start


def _argument_block(
    memory: Memory,
    loaded: Loaded,
    argv: Sequence[bytes],
    env: Sequence[bytes],
    path: bytes,
    top: int,
) -> Start:
    used = sum(len(text) + 9 for text in (*argv, *env))
    if used > abi.ARG_MAX:
        raise Errno(E2BIG)
    apple = _apple(loaded, path, top)
    strings = bytearray()
    offsets: list[list[int]] = []
    for group in (argv, env, apple):
        places = []
        for text in group:
            places.append(len(strings))
            strings += text + b"\0"
        offsets.append(places)
    base = (top - len(strings)) & -16
    memory.write(base, strings)
    words = [loaded.header, len(argv)]
    starts = []
    for places in offsets:
        starts.append(len(words))
        words += [base + place for place in places]
        words.append(0)
    # The block ends below the strings; sp is a multiple of 16.
    stack = (base - 8 * len(words)) & -16
    memory.write(stack, b"".join(word.to_bytes(8, "little") for word in words))
    return Start(stack, *(stack + 8 * index for index in starts))


def _apple(loaded: Loaded, path: bytes, top: int) -> list[bytes]:
    def number(name: str, *values: int) -> bytes:
        return f"{name}={','.join(f'0x{value:x}' for value in values)}".encode()

    return [
        b"executable_path=" + path,
        number("pfz", 0),
        number("stack_guard", _random() & ~0xFF),
        number("malloc_entropy", _random(), _random()),
        number("ptr_munge", _random()),
        number("main_stack", top, STACK_SIZE, top - (64 << 20), 64 << 20),
        number("executable_file", 0x100000F, 1),
        number("dyld_file", 0x100000F, 2),
        b"executable_cdhash=" + loaded.cdhash.hex().encode(),
        b"executable_boothash=" + bytes(20).hex().encode(),
        b"arm64e_abi=os",
        number("th_port", 0x103),
    ]


def _random() -> int:
    """64 bits, the top one set: all have 16 digits, so that sp is the same at every start."""
    return int.from_bytes(os.urandom(8), "little") | 1 << 63


# --- execve -----------------------------------------------------------------------------------

def replace_program(
    task: Task, path: bytes, argv: list[bytes], env: list[bytes]
) -> None:
    """execve(2) once the arguments are read; raises Errno for what it reports.

    A program for us is loaded when the processor stands still; one for the host
    takes the host process over.
    """
    kernel = task.kernel
    head = _head(path)
    if head[:4] == _MACHO_MAGIC:
        with open(os.fsdecode(path), "rb") as file:
            data = file.read()
        kernel.replace = lambda: _become(kernel, data, path, argv, env)
        kernel.cpu.stop()
        return
    if head[:2] == b"#!":
        interpreter, words = _shebang(head)
        argv = [interpreter, *words, path, *argv[1:]]
        first = _head(interpreter)
        if first[:2] == b"#!":
            raise Errno(ENOEXEC)
        if first[:4] == _MACHO_MAGIC:
            replace_program(task, interpreter, argv, env)
            return
        path = interpreter
    elif not head or head[:4] != b"\x7fELF":
        raise Errno(ENOEXEC)
    _host_exec(task, path, argv, env)


def _head(path: bytes) -> bytes:
    """The first 512 bytes of an executable file; raises Errno: ENOENT, EACCES, ENOEXEC."""
    try:
        status = os.stat(path)
    except OSError as error:
        raise Errno(from_host(error.errno)) from None
    if not stat.S_ISREG(status.st_mode) or not status.st_mode & 0o111:
        raise Errno(EACCES)
    if not os.access(path, os.X_OK):
        raise Errno(EACCES)
    if not status.st_size:
        raise Errno(ENOEXEC)
    try:
        with open(os.fsdecode(path), "rb") as file:
            return file.read(512)
    except PermissionError:
        return b"\x7fELF"       # executable but not readable: the host's to run
    except OSError as error:
        raise Errno(from_host(error.errno)) from None


def _shebang(head: bytes) -> tuple[bytes, list[bytes]]:
    """Interpreter and its arguments: the line ends at newline or '#', split at blanks."""
    line = head[2:]
    for end in (b"\n", b"#"):
        line = line.partition(end)[0]
    words = line.split()
    if not words or (b"\n" not in head and len(head) == 512):
        raise Errno(ENOEXEC)
    return words[0], words[1:]


def _become(
    kernel: Kernel, data: bytes, path: bytes, argv: list[bytes], env: list[bytes]
) -> None:
    """Load a Mach-O in place of the running program; a refusal kills, as XNU does."""
    task = kernel.task
    for action in task.on_exec:
        action()
    _close_on_exec(task)
    memory = kernel.memory
    for region in memory.regions:
        memory.unmap(region.start, region.end - region.start)
    kernel.signals.executed()
    try:
        loaded = load(memory, data, slide=0)
        start_program(kernel, loaded, argv, env, path)
    except (KitError, Errno) as error:
        if kernel.report:
            kernel.say(str(error))
        raise ProcessEnd(signal=abi.SIGKILL) from None


def start_program(
    kernel: Kernel, loaded: Loaded, argv: Sequence[bytes], env: Sequence[bytes], path: bytes
) -> Start:
    """Point a kernel's processor at a freshly loaded program."""
    kernel.symbols = loaded.symbols
    kernel.text = loaded.text
    kernel.cpu.counter.uncover()        # a coverage table is that of one program
    kernel.task.executable = path
    kernel.task.arguments = tuple(argv)
    return prepare(
        kernel.memory, kernel.cpu, loaded, argv, env, path, strict=kernel.strict
    )


def _close_on_exec(task: Task) -> None:
    for fd in guest_descriptors(task):
        try:
            if not os.get_inheritable(fd):
                task.files.closed(fd)
                os.close(fd)
        except OSError:
            continue        # closed by a row's own exec hook already


def guest_descriptors(task: Task) -> list[int]:
    """The guest's open descriptors."""
    directory = "/proc/self/fd" if os.path.isdir("/proc/self/fd") else "/dev/fd"
    numbers = [int(name) for name in os.listdir(directory) if name.isdigit()]
    open_now = []
    for fd in sorted(numbers):
        if fd >= task.files.ceiling or fd in task.files.hidden:
            continue
        try:
            os.fstat(fd)
        except OSError:
            continue        # the listing's own descriptor
        open_now.append(fd)
    return open_now


def _host_exec(task: Task, path: bytes, argv: list[bytes], env: list[bytes]) -> None:
    """Hand the process to a program of the host; returns only by raising Errno."""
    signals = task.signals
    if not os.path.exists(path):
        raise Errno(ENOENT)
    variables = {}
    for entry in env:
        name, equals, value = entry.partition(b"=")
        if name and equals:
            variables[name] = value
    for action in task.on_exec:
        action()
    # The program will know captured streams by their numbers only.
    for number, captured in task.files.redirected.items():
        if captured >= 0:
            os.dup2(captured, number)
    reaped = signals.auto_reap
    signals.stop_reaping()
    # Python ignores SIGPIPE and SIGXFSZ, and an ignored signal stays ignored over exec.
    for number in (abi.SIGPIPE, abi.SIGXFSZ):
        ignored = signals.actions[number].handler == abi.SIG_IGN
        host_signal.set_action(
            host_signal.TO_HOST[number],
            host_signal.IGNORE if ignored else host_signal.DEFAULT,
        )
    try:
        os.execve(path, argv or [path], variables)
    except OSError as error:
        host_signal.set_action(host_signal.TO_HOST[abi.SIGPIPE], host_signal.IGNORE)
        if reaped:
            signals.set_action(abi.SIGCHLD, signals.actions[abi.SIGCHLD])
        raise Errno(from_host(error.errno)) from None
