"""The numbers of macOS on arm64, under the names of its headers.

Plain integers, because handlers test them millions of times.  A
:class:`Vocabulary` turns a number back into names for traces, as strace does.
Source: the macOS SDK's headers (sys/fcntl.h, sys/socket.h, sys/event.h ...) and XNU's
kernel-side ones (bsd/sys, osfmk/mach).
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from typing import Final

# --- limits -----------------------------------------------------------------------------

PAGE_SIZE: Final = 0x4000
PAGE_MASK: Final = PAGE_SIZE - 1
INT_MAX: Final = 0x7FFF_FFFF
INT_MIN: Final = -0x8000_0000
PATH_MAX: Final = 1024              # with the NUL
NAME_MAX: Final = 255
ARG_MAX: Final = 0x10_0000
IOV_MAX: Final = 1024
OPEN_MAX: Final = 10240
NOFILE_SOFT: Final = 256            # RLIMIT_NOFILE of a fresh process
MAXSYMLINKS: Final = 32
PIPE_BUF: Final = 512
SOMAXCONN: Final = 128
FD_SETSIZE: Final = 1024
STDIN_FILENO: Final = 0
STDOUT_FILENO: Final = 1
STDERR_FILENO: Final = 2

# --- open -------------------------------------------------------------------------------

O_RDONLY: Final = 0
O_WRONLY: Final = 1
O_RDWR: Final = 2
O_ACCMODE: Final = 3
O_NONBLOCK: Final = 0x4
O_APPEND: Final = 0x8
O_SHLOCK: Final = 0x10
O_EXLOCK: Final = 0x20
O_ASYNC: Final = 0x40
O_SYNC: Final = 0x80
O_NOFOLLOW: Final = 0x100
O_CREAT: Final = 0x200
O_TRUNC: Final = 0x400
O_EXCL: Final = 0x800
O_RESOLVE_BENEATH: Final = 0x1000
O_UNIQUE: Final = 0x2000
O_EVTONLY: Final = 0x8000
O_NOCTTY: Final = 0x2_0000
O_DIRECTORY: Final = 0x10_0000
O_SYMLINK: Final = 0x20_0000
O_DSYNC: Final = 0x40_0000
O_CLOEXEC: Final = 0x100_0000
O_CLOFORK: Final = 0x800_0000
O_NOFOLLOW_ANY: Final = 0x2000_0000
O_EXEC: Final = 0x4000_0000
O_SEARCH: Final = O_EXEC | O_DIRECTORY
#: Kernel-internal bits that F_GETFL may show: the file was written, was locked.
FWASWRITTEN: Final = 0x1_0000
FWASLOCKED: Final = 0x4000

AT_FDCWD: Final = -2
AT_EACCESS: Final = 0x10
AT_SYMLINK_NOFOLLOW: Final = 0x20
AT_SYMLINK_FOLLOW: Final = 0x40
AT_REMOVEDIR: Final = 0x80
AT_REALDEV: Final = 0x200
AT_FDONLY: Final = 0x400
AT_SYMLINK_NOFOLLOW_ANY: Final = 0x800
AT_RESOLVE_BENEATH: Final = 0x2000
AT_UNIQUE: Final = 0x8000

RENAME_SECLUDE: Final = 0x1
RENAME_SWAP: Final = 0x2
RENAME_EXCL: Final = 0x4
RENAME_NOFOLLOW_ANY: Final = 0x10
RENAME_RESOLVE_BENEATH: Final = 0x20

CLONE_NOFOLLOW: Final = 0x1
CLONE_NOOWNERCOPY: Final = 0x2
CLONE_ACL: Final = 0x4

F_OK: Final = 0
X_OK: Final = 1
W_OK: Final = 2
R_OK: Final = 4

# --- fcntl, flock, lseek ----------------------------------------------------------------

F_DUPFD: Final = 0
F_GETFD: Final = 1
F_SETFD: Final = 2
F_GETFL: Final = 3
F_SETFL: Final = 4
F_GETOWN: Final = 5
F_SETOWN: Final = 6
F_GETLK: Final = 7
F_SETLK: Final = 8
F_SETLKW: Final = 9
F_SETLKWTIMEOUT: Final = 10
F_FLUSH_DATA: Final = 40
F_PREALLOCATE: Final = 42
F_SETSIZE: Final = 43
F_RDADVISE: Final = 44
F_RDAHEAD: Final = 45
F_NOCACHE: Final = 48
F_GETPATH: Final = 50
F_FULLFSYNC: Final = 51
F_DUPFD_CLOEXEC: Final = 67
F_SETNOSIGPIPE: Final = 73
F_GETNOSIGPIPE: Final = 74
F_BARRIERFSYNC: Final = 85
F_OFD_SETLK: Final = 90
F_OFD_SETLKW: Final = 91
F_OFD_GETLK: Final = 92
F_PUNCHHOLE: Final = 99
F_GETPATH_NOFIRMLINK: Final = 102

FD_CLOEXEC: Final = 1

F_RDLCK: Final = 1
F_UNLCK: Final = 2
F_WRLCK: Final = 3

F_ALLOCATECONTIG: Final = 2
F_ALLOCATEALL: Final = 4
F_PEOFPOSMODE: Final = 3
F_VOLPOSMODE: Final = 4

LOCK_SH: Final = 1
LOCK_EX: Final = 2
LOCK_NB: Final = 4
LOCK_UN: Final = 8

SEEK_SET: Final = 0
SEEK_CUR: Final = 1
SEEK_END: Final = 2
SEEK_HOLE: Final = 3
SEEK_DATA: Final = 4

# --- files ------------------------------------------------------------------------------

S_IFMT: Final = 0xF000
S_IFIFO: Final = 0x1000
S_IFCHR: Final = 0x2000
S_IFDIR: Final = 0x4000
S_IFBLK: Final = 0x6000
S_IFREG: Final = 0x8000
S_IFLNK: Final = 0xA000
S_IFSOCK: Final = 0xC000
S_IFWHT: Final = 0xE000
S_ISUID: Final = 0o4000
S_ISGID: Final = 0o2000
S_ISVTX: Final = 0o1000
ACCESSPERMS: Final = 0o777
ALLPERMS: Final = 0o7777

DT_UNKNOWN: Final = 0
DT_FIFO: Final = 1
DT_CHR: Final = 2
DT_DIR: Final = 4
DT_BLK: Final = 6
DT_REG: Final = 8
DT_LNK: Final = 10
DT_SOCK: Final = 12
DT_WHT: Final = 14

VNON: Final = 0
VREG: Final = 1
VDIR: Final = 2
VBLK: Final = 3
VCHR: Final = 4
VLNK: Final = 5
VSOCK: Final = 6
VFIFO: Final = 7

#: Bit 0 of the last four bytes of a getdirentries64 buffer: the end was reached.
GETDIRENTRIES64_EOF: Final = 1
GETDIRENTRIES64_EXTENDED_BUFSIZE: Final = 1024

ATTR_BIT_MAP_COUNT: Final = 5
ATTR_CMN_NAME: Final = 0x1
ATTR_CMN_DEVID: Final = 0x2
ATTR_CMN_FSID: Final = 0x4
ATTR_CMN_OBJTYPE: Final = 0x8
ATTR_CMN_OBJTAG: Final = 0x10
ATTR_CMN_OBJID: Final = 0x20
ATTR_CMN_CRTIME: Final = 0x200
ATTR_CMN_MODTIME: Final = 0x400
ATTR_CMN_CHGTIME: Final = 0x800
ATTR_CMN_ACCTIME: Final = 0x1000
ATTR_CMN_OWNERID: Final = 0x8000
ATTR_CMN_GRPID: Final = 0x1_0000
ATTR_CMN_ACCESSMASK: Final = 0x2_0000
ATTR_CMN_FLAGS: Final = 0x4_0000
ATTR_CMN_FILEID: Final = 0x200_0000
ATTR_CMN_ERROR: Final = 0x2000_0000
ATTR_CMN_RETURNED_ATTRS: Final = 0x8000_0000
ATTR_FILE_LINKCOUNT: Final = 0x1
ATTR_FILE_TOTALSIZE: Final = 0x2
ATTR_FILE_ALLOCSIZE: Final = 0x4
ATTR_FILE_IOBLOCKSIZE: Final = 0x8
ATTR_FILE_DEVTYPE: Final = 0x20
ATTR_FILE_DATALENGTH: Final = 0x200
ATTR_FILE_DATAALLOCSIZE: Final = 0x400

FSOPT_NOFOLLOW: Final = 0x1
FSOPT_PACK_INVAL_ATTRS: Final = 0x8
FSOPT_NOFOLLOW_ANY: Final = 0x800

MNT_RDONLY: Final = 0x1
MNT_NOEXEC: Final = 0x4
MNT_NOSUID: Final = 0x8
MNT_LOCAL: Final = 0x1000

# --- memory -----------------------------------------------------------------------------

PROT_NONE: Final = 0
PROT_READ: Final = 1
PROT_WRITE: Final = 2
PROT_EXEC: Final = 4

MAP_FILE: Final = 0
MAP_SHARED: Final = 0x1
MAP_PRIVATE: Final = 0x2
MAP_FIXED: Final = 0x10
MAP_RENAME: Final = 0x20
MAP_NORESERVE: Final = 0x40
MAP_NOEXTEND: Final = 0x100
MAP_HASSEMAPHORE: Final = 0x200
MAP_NOCACHE: Final = 0x400
MAP_JIT: Final = 0x800
MAP_ANON: Final = 0x1000
MAP_RESILIENT_CODESIGN: Final = 0x2000
MAP_RESILIENT_MEDIA: Final = 0x4000
MAP_TRANSLATED_ALLOW_EXECUTE: Final = 0x2_0000
MAP_UNIX03: Final = 0x4_0000
MAP_TPRO: Final = 0x8_0000

MS_ASYNC: Final = 0x1
MS_INVALIDATE: Final = 0x2
MS_KILLPAGES: Final = 0x4
MS_DEACTIVATE: Final = 0x8
MS_SYNC: Final = 0x10

MADV_NORMAL: Final = 0
MADV_RANDOM: Final = 1
MADV_SEQUENTIAL: Final = 2
MADV_WILLNEED: Final = 3
MADV_DONTNEED: Final = 4
MADV_FREE: Final = 5
MADV_ZERO_WIRED_PAGES: Final = 6
MADV_FREE_REUSABLE: Final = 7
MADV_FREE_REUSE: Final = 8
MADV_CAN_REUSE: Final = 9
MADV_PAGEOUT: Final = 10
MADV_ZERO: Final = 11

#: What mincore reports of a resident page.
MINCORE_INCORE: Final = 1

COMMPAGE_READ_ONLY: Final = 0xF_FFFF_4000
COMMPAGE_READ_WRITE: Final = 0xF_FFFF_C000
TIMEBASE_FREQUENCY: Final = 24_000_000
TIMEBASE_NUMERATOR: Final = 125
TIMEBASE_DENOMINATOR: Final = 3

# --- processes --------------------------------------------------------------------------

WNOHANG: Final = 1
WUNTRACED: Final = 2
WEXITED: Final = 4
WSTOPPED: Final = 8
WCONTINUED: Final = 0x10
WNOWAIT: Final = 0x20

RLIMIT_CPU: Final = 0
RLIMIT_FSIZE: Final = 1
RLIMIT_DATA: Final = 2
RLIMIT_STACK: Final = 3
RLIMIT_CORE: Final = 4
RLIMIT_AS: Final = 5
RLIMIT_RSS: Final = RLIMIT_AS
RLIMIT_MEMLOCK: Final = 6
RLIMIT_NPROC: Final = 7
RLIMIT_NOFILE: Final = 8
RLIM_NLIMITS: Final = 9
RLIMIT_POSIX_FLAG: Final = 0x1000
RLIM_INFINITY: Final = 0x7FFF_FFFF_FFFF_FFFF

RUSAGE_SELF: Final = 0
RUSAGE_CHILDREN: Final = -1

PRIO_PROCESS: Final = 0
PRIO_PGRP: Final = 1
PRIO_USER: Final = 2

PROC_INFO_CALL_LISTPIDS: Final = 1
PROC_ALL_PIDS: Final = 1
PROC_PGRP_ONLY: Final = 2
PROC_TTY_ONLY: Final = 3
PROC_UID_ONLY: Final = 4
PROC_RUID_ONLY: Final = 5
PROC_PPID_ONLY: Final = 6

UL_COMPARE_AND_WAIT: Final = 1
UL_UNFAIR_LOCK: Final = 2
UL_COMPARE_AND_WAIT_SHARED: Final = 3
UL_COMPARE_AND_WAIT64: Final = 5
UL_COMPARE_AND_WAIT64_SHARED: Final = 6
ULF_WAKE_ALL: Final = 0x100
ULF_NO_ERRNO: Final = 0x100_0000

# --- signals ----------------------------------------------------------------------------

SIGHUP: Final = 1
SIGINT: Final = 2
SIGQUIT: Final = 3
SIGILL: Final = 4
SIGTRAP: Final = 5
SIGABRT: Final = 6
SIGEMT: Final = 7
SIGFPE: Final = 8
SIGKILL: Final = 9
SIGBUS: Final = 10
SIGSEGV: Final = 11
SIGSYS: Final = 12
SIGPIPE: Final = 13
SIGALRM: Final = 14
SIGTERM: Final = 15
SIGURG: Final = 16
SIGSTOP: Final = 17
SIGTSTP: Final = 18
SIGCONT: Final = 19
SIGCHLD: Final = 20
SIGTTIN: Final = 21
SIGTTOU: Final = 22
SIGIO: Final = 23
SIGXCPU: Final = 24
SIGXFSZ: Final = 25
SIGVTALRM: Final = 26
SIGPROF: Final = 27
SIGWINCH: Final = 28
SIGINFO: Final = 29
SIGUSR1: Final = 30
SIGUSR2: Final = 31
NSIG: Final = 32

SIG_DFL: Final = 0
SIG_IGN: Final = 1
SIG_BLOCK: Final = 1
SIG_UNBLOCK: Final = 2
SIG_SETMASK: Final = 3

SA_ONSTACK: Final = 0x1
SA_RESTART: Final = 0x2
SA_RESETHAND: Final = 0x4
SA_NOCLDSTOP: Final = 0x8
SA_NODEFER: Final = 0x10
SA_NOCLDWAIT: Final = 0x20
SA_SIGINFO: Final = 0x40
SA_USERTRAMP: Final = 0x100
SA_VALIDATE_SIGRETURN_FROM_SIGTRAMP: Final = 0x400

SS_ONSTACK: Final = 0x1
SS_DISABLE: Final = 0x4
MINSIGSTKSZ: Final = 8192

UC_TRAD: Final = 1
UC_FLAVOR: Final = 30
UC_SET_ALT_STACK: Final = 0x4000_0000
UC_RESET_ALT_STACK: Final = 0x8000_0000

CLD_EXITED: Final = 1
CLD_KILLED: Final = 2
CLD_DUMPED: Final = 3
CLD_TRAPPED: Final = 4
CLD_STOPPED: Final = 5
CLD_CONTINUED: Final = 6

ITIMER_REAL: Final = 0
ITIMER_VIRTUAL: Final = 1
ITIMER_PROF: Final = 2

#: Signals whose default is to be ignored, to stop, to die with a core file.
#: Every other one ends the process.
SIGNALS_IGNORED: Final = frozenset({SIGURG, SIGCONT, SIGCHLD, SIGIO, SIGWINCH, SIGINFO})
SIGNALS_STOP: Final = frozenset({SIGSTOP, SIGTSTP, SIGTTIN, SIGTTOU})
SIGNALS_CORE: Final = frozenset(
    {SIGQUIT, SIGILL, SIGTRAP, SIGABRT, SIGEMT, SIGFPE, SIGBUS, SIGSEGV, SIGSYS}
)

# --- sockets ----------------------------------------------------------------------------

AF_UNSPEC: Final = 0
AF_UNIX: Final = 1
AF_INET: Final = 2
AF_INET6: Final = 30
AF_SYSTEM: Final = 32

SOCK_STREAM: Final = 1
SOCK_DGRAM: Final = 2
SOCK_RAW: Final = 3
SOCK_SEQPACKET: Final = 5

SHUT_RD: Final = 0
SHUT_WR: Final = 1
SHUT_RDWR: Final = 2

INADDR_ANY: Final = 0
INADDR_LOOPBACK: Final = 0x7F00_0001

SOL_SOCKET: Final = 0xFFFF
SO_DEBUG: Final = 0x1
SO_ACCEPTCONN: Final = 0x2
SO_REUSEADDR: Final = 0x4
SO_KEEPALIVE: Final = 0x8
SO_DONTROUTE: Final = 0x10
SO_BROADCAST: Final = 0x20
SO_USELOOPBACK: Final = 0x40
SO_LINGER: Final = 0x80
SO_OOBINLINE: Final = 0x100
SO_REUSEPORT: Final = 0x200
SO_TIMESTAMP: Final = 0x400
SO_DONTTRUNC: Final = 0x2000
SO_WANTMORE: Final = 0x4000
SO_WANTOOBFLAG: Final = 0x8000
SO_SNDBUF: Final = 0x1001
SO_RCVBUF: Final = 0x1002
SO_SNDLOWAT: Final = 0x1003
SO_RCVLOWAT: Final = 0x1004
SO_SNDTIMEO: Final = 0x1005
SO_RCVTIMEO: Final = 0x1006
SO_ERROR: Final = 0x1007
SO_TYPE: Final = 0x1008
SO_LABEL: Final = 0x1010
SO_PEERLABEL: Final = 0x1011
SO_NREAD: Final = 0x1020
SO_NKE: Final = 0x1021
SO_NOSIGPIPE: Final = 0x1022
SO_NOADDRERR: Final = 0x1023
SO_NWRITE: Final = 0x1024
SO_REUSESHAREUID: Final = 0x1025
SO_UPCALLCLOSEWAIT: Final = 0x1027
SO_LINGER_SEC: Final = 0x1080
SO_RANDOMPORT: Final = 0x1082
SO_NUMRCVPKT: Final = 0x1112
SO_NET_SERVICE_TYPE: Final = 0x1116

IPPROTO_IP: Final = 0
IPPROTO_ICMP: Final = 1
IPPROTO_TCP: Final = 6
IPPROTO_UDP: Final = 17
IPPROTO_IPV6: Final = 41
IP_TOS: Final = 3
IP_TTL: Final = 4
IPV6_V6ONLY: Final = 27
TCP_NODELAY: Final = 0x1
TCP_MAXSEG: Final = 0x2
TCP_NOPUSH: Final = 0x4
TCP_NOOPT: Final = 0x8
TCP_KEEPALIVE: Final = 0x10
TCP_CONNECTIONTIMEOUT: Final = 0x20
TCP_PERSIST_TIMEOUT: Final = 0x40
TCP_RXT_CONNDROPTIME: Final = 0x80
TCP_RXT_FINDROP: Final = 0x100
TCP_KEEPINTVL: Final = 0x101
TCP_KEEPCNT: Final = 0x102
TCP_SENDMOREACKS: Final = 0x103
TCP_ENABLE_ECN: Final = 0x104
TCP_FASTOPEN: Final = 0x105
TCP_CONNECTION_INFO: Final = 0x106
TCP_NOTSENT_LOWAT: Final = 0x201

MSG_OOB: Final = 0x1
MSG_PEEK: Final = 0x2
MSG_DONTROUTE: Final = 0x4
MSG_EOR: Final = 0x8
MSG_TRUNC: Final = 0x10
MSG_CTRUNC: Final = 0x20
MSG_WAITALL: Final = 0x40
MSG_DONTWAIT: Final = 0x80
MSG_EOF: Final = 0x100
MSG_WAITSTREAM: Final = 0x200
MSG_FLUSH: Final = 0x400
MSG_HOLD: Final = 0x800
MSG_SEND: Final = 0x1000
MSG_HAVEMORE: Final = 0x2000
MSG_RCVMORE: Final = 0x4000
MSG_NEEDSA: Final = 0x1_0000
MSG_NOSIGNAL: Final = 0x8_0000

SCM_RIGHTS: Final = 1

# --- poll and kqueue --------------------------------------------------------------------

POLLIN: Final = 0x1
POLLPRI: Final = 0x2
POLLOUT: Final = 0x4
POLLERR: Final = 0x8
POLLHUP: Final = 0x10
POLLNVAL: Final = 0x20
POLLRDNORM: Final = 0x40
POLLRDBAND: Final = 0x80
POLLWRNORM: Final = POLLOUT
POLLWRBAND: Final = 0x100
POLLEXTEND: Final = 0x200
POLLATTRIB: Final = 0x400
POLLNLINK: Final = 0x800
POLLWRITE: Final = 0x1000

EVFILT_READ: Final = -1
EVFILT_WRITE: Final = -2
EVFILT_AIO: Final = -3
EVFILT_VNODE: Final = -4
EVFILT_PROC: Final = -5
EVFILT_SIGNAL: Final = -6
EVFILT_TIMER: Final = -7
EVFILT_MACHPORT: Final = -8
EVFILT_FS: Final = -9
EVFILT_USER: Final = -10
EVFILT_VM: Final = -12
EVFILT_EXCEPT: Final = -15

EV_ADD: Final = 0x1
EV_DELETE: Final = 0x2
EV_ENABLE: Final = 0x4
EV_DISABLE: Final = 0x8
EV_ONESHOT: Final = 0x10
EV_CLEAR: Final = 0x20
EV_RECEIPT: Final = 0x40
EV_DISPATCH: Final = 0x80
EV_UDATA_SPECIFIC: Final = 0x100
EV_VANISHED: Final = 0x200
EV_FLAG0: Final = 0x1000
EV_POLL: Final = EV_FLAG0
EV_FLAG1: Final = 0x2000
EV_OOBAND: Final = EV_FLAG1
EV_ERROR: Final = 0x4000
EV_EOF: Final = 0x8000

NOTE_LOWAT: Final = 0x1
NOTE_OOB: Final = 0x2
NOTE_DELETE: Final = 0x1
NOTE_WRITE: Final = 0x2
NOTE_EXTEND: Final = 0x4
NOTE_ATTRIB: Final = 0x8
NOTE_LINK: Final = 0x10
NOTE_RENAME: Final = 0x20
NOTE_REVOKE: Final = 0x40
NOTE_EXIT: Final = 0x8000_0000
NOTE_FORK: Final = 0x4000_0000
NOTE_EXEC: Final = 0x2000_0000
NOTE_SIGNAL: Final = 0x800_0000
NOTE_EXITSTATUS: Final = 0x400_0000
NOTE_SECONDS: Final = 0x1
NOTE_USECONDS: Final = 0x2
NOTE_NSECONDS: Final = 0x4
NOTE_ABSOLUTE: Final = 0x8
NOTE_LEEWAY: Final = 0x10
NOTE_CRITICAL: Final = 0x20
NOTE_BACKGROUND: Final = 0x40
NOTE_MACHTIME: Final = 0x100
NOTE_TRIGGER: Final = 0x100_0000
NOTE_FFNOP: Final = 0
NOTE_FFAND: Final = 0x4000_0000
NOTE_FFOR: Final = 0x8000_0000
NOTE_FFCOPY: Final = 0xC000_0000
NOTE_FFCTRLMASK: Final = 0xC000_0000
NOTE_FFLAGSMASK: Final = 0x00FF_FFFF

KEVENT_FLAG_IMMEDIATE: Final = 1
KEVENT_FLAG_ERROR_EVENTS: Final = 2

# --- ioctl ------------------------------------------------------------------------------

FIOCLEX: Final = 0x2000_6601
FIONCLEX: Final = 0x2000_6602
FIONREAD: Final = 0x4004_667F
FIONBIO: Final = 0x8004_667E
FIOASYNC: Final = 0x8004_667D
SIOCATMARK: Final = 0x4004_7307
TIOCGWINSZ: Final = 0x4008_7468

# --- sysctl -----------------------------------------------------------------------------

CTL_KERN: Final = 1
CTL_VM: Final = 2
CTL_NET: Final = 4
CTL_HW: Final = 6
KERN_OSTYPE: Final = 1
KERN_OSRELEASE: Final = 2
KERN_OSREV: Final = 3
KERN_VERSION: Final = 4
KERN_MAXVNODES: Final = 5
KERN_MAXPROC: Final = 6
KERN_MAXFILES: Final = 7
KERN_ARGMAX: Final = 8
KERN_HOSTNAME: Final = 10
KERN_NGROUPS: Final = 18
KERN_BOOTTIME: Final = 21
KERN_MAXFILESPERPROC: Final = 29
KERN_OSVERSION: Final = 65
HW_MACHINE: Final = 1
HW_MODEL: Final = 2
HW_NCPU: Final = 3
HW_BYTEORDER: Final = 4
HW_PAGESIZE: Final = 7
HW_MEMSIZE: Final = 24
HW_AVAILCPU: Final = 25


# --- back from numbers to names ---------------------------------------------------------


@dataclass(frozen=True, slots=True)
class Vocabulary:
    """The names of a set of flags, or of the values of an enumeration.

    `field` is the part of the number that is a value and not a set of bits
    (O_ACCMODE of the open flags); all of it for an enumeration.
    """

    field: int
    values: dict[int, str]
    bits: tuple[tuple[int, str], ...]   # widest first, so that O_SEARCH beats O_EXEC

    def __call__(self, number: int) -> str:
        """`O_WRONLY|O_CREAT`, with what has no name as a hexadecimal number."""
        if not self.bits:
            name = self.values.get(number)
            return str(number) if name is None else name
        parts: list[str] = []
        rest = number
        if self.field:
            value = number & self.field
            name = self.values.get(value)
            if name is not None:
                parts.append(name)
                rest &= ~self.field
        for bit, name in self.bits:
            if rest & bit == bit:
                parts.append(name)
                rest &= ~bit
        if rest or not parts:
            parts.append(f"0x{rest:x}" if rest else "0")
        return "|".join(parts)


def _named(prefix: str, names: Iterable[str] = ()) -> dict[str, int]:
    """The integer constants above that have this prefix, or these names behind it."""
    if names:
        return {prefix + name: globals()[prefix + name] for name in names}
    return {
        name: value
        for name, value in globals().items()
        if name.startswith(prefix) and isinstance(value, int)
    }


def _enumeration(names: dict[str, int]) -> Vocabulary:
    values: dict[int, str] = {}
    for name, value in names.items():
        values.setdefault(value, name)
    return Vocabulary(-1, values, ())


def _flags(names: dict[str, int], field: int = 0, values: Iterable[str] = ()) -> Vocabulary:
    chosen = {name: names[name] for name in values}
    bits: dict[int, str] = {}
    for name, value in names.items():
        if value and name not in chosen and value != field:
            bits.setdefault(value, name)
    order = sorted(bits.items(), key=lambda item: (-item[0].bit_count(), item[0]))
    return Vocabulary(field, {value: name for name, value in chosen.items()}, tuple(order))


def _without(names: dict[str, int], *left_out: str) -> dict[str, int]:
    return {name: value for name, value in names.items() if name not in left_out}


#: What the argument kinds FLAGS("open"), ENUM("whence") and so on of a table row print.
VOCABULARIES: Final[dict[str, Vocabulary]] = {
    "open": _flags(_named("O_"), O_ACCMODE, ("O_RDONLY", "O_WRONLY", "O_RDWR")),
    "at": _flags(_without(_named("AT_"), "AT_FDCWD")),
    "rename": _flags(_named("RENAME_")),
    "clone": _flags(_named("CLONE_")),
    "access": Vocabulary(7, {0: "F_OK"}, ((4, "R_OK"), (2, "W_OK"), (1, "X_OK"))),
    "fcntl": _enumeration(
        _without(
            _named("F_"), "F_OK", "F_RDLCK", "F_UNLCK", "F_WRLCK", "F_ALLOCATECONTIG",
            "F_ALLOCATEALL", "F_PEOFPOSMODE", "F_VOLPOSMODE",
        )
    ),
    "lock": _flags(_named("LOCK_")),
    "whence": _enumeration(_named("SEEK_")),
    "protection": Vocabulary(
        7, {0: "PROT_NONE"}, ((1, "PROT_READ"), (2, "PROT_WRITE"), (4, "PROT_EXEC"))
    ),
    "map": _flags(_without(_named("MAP_"), "MAP_FILE")),
    "msync": _flags(_named("MS_")),
    "madvise": _enumeration(_named("MADV_")),
    "wait": _flags(
        _named("W", ("NOHANG", "UNTRACED", "EXITED", "STOPPED", "CONTINUED", "NOWAIT"))
    ),
    "rlimit": _enumeration(_without(_named("RLIMIT_"), "RLIMIT_POSIX_FLAG")),
    "rusage": _enumeration(_named("RUSAGE_")),
    "signal": _enumeration(
        {
            name: value
            for name, value in _named("SIG").items()
            if not name.startswith(("SIG_", "SIGNALS"))
        }
    ),
    "sigprocmask": _enumeration(_named("SIG_", ("BLOCK", "UNBLOCK", "SETMASK"))),
    "sigaction": _flags(_named("SA_")),
    "itimer": _enumeration(_named("ITIMER_")),
    "family": _enumeration(_named("AF_")),
    "socktype": _enumeration(_named("SOCK_")),
    "shutdown": _enumeration(_named("SHUT_")),
    "level": _enumeration({"SOL_SOCKET": SOL_SOCKET, **_named("IPPROTO_")}),
    "protocol": _enumeration(_named("IPPROTO_")),
    "so": _enumeration(_named("SO_")),
    "tcp": _enumeration(_named("TCP_")),
    "ip": _enumeration(_named("IP_")),
    "ipv6": _enumeration(_named("IPV6_")),
    "msg": _flags(_named("MSG_")),
    "poll": _flags(_without(_named("POLL"), "POLLWRNORM")),
    "evfilt": _enumeration(_named("EVFILT_")),
    "ev": _flags(_without(_named("EV_"), "EV_POLL", "EV_OOBAND")),
    "ioctl": _enumeration(
        _named(
            "",
            ("FIOCLEX", "FIONCLEX", "FIONREAD", "FIONBIO", "FIOASYNC", "SIOCATMARK",
             "TIOCGWINSZ"),
        )
    ),
    "priority": _enumeration(_named("PRIO_")),
}


def killed_by(number: int) -> str:
    """How a process ended that did not end itself: `killed by signal 11 SIGSEGV`."""
    return f"killed by signal {number} {VOCABULARIES['signal'].values.get(number, '')}".rstrip()
