"""Structures that cross the kernel boundary, as data: where each field is.

One :class:`Layout` a structure, offsets and sizes in bytes, little-endian.
Handlers pack and unpack through `codec`; a test compares the same offsets with
the `.equ` lines of src/asm.  Source: the SDK's headers, compiled, and the kernel's own
forms in XNU bsd/sys (signal.h, ucontext.h, stat.h, dirent.h, attr.h).
"""

from __future__ import annotations

from dataclasses import dataclass, field
from struct import Struct, calcsize
from typing import Final


@dataclass(frozen=True, slots=True)
class Field:
    """One member; `format` is a letter of :mod:`struct`, or a count of bytes ("16s").

    Values in network byte order (ports, addresses) are plain bytes.
    """

    name: str
    offset: int
    format: str
    size: int = field(init=False)

    def __post_init__(self) -> None:
        object.__setattr__(self, "size", calcsize("<" + self.format))


@dataclass(frozen=True, slots=True)
class Layout:
    """A structure: name, size and fields in the order of their offsets."""

    name: str
    size: int
    fields: tuple[Field, ...]
    codec: Struct = field(init=False, repr=False, compare=False)

    def __post_init__(self) -> None:
        form = "<"
        end = 0
        for member in self.fields:
            if member.offset < end:
                raise ValueError(f"{self.name}.{member.name} overlaps the field before it")
            form += f"{member.offset - end}x{member.format}"
            end = member.offset + member.size
        if end > self.size:
            raise ValueError(f"{self.name} is longer than {self.size} bytes")
        object.__setattr__(self, "codec", Struct(f"{form}{self.size - end}x"))

    def __getitem__(self, name: str) -> Field:
        for member in self.fields:
            if member.name == name:
                return member
        raise KeyError(name)

    def offset(self, name: str) -> int:
        """Where a field begins; raises KeyError."""
        return self[name].offset

    def pack(self, **values: int | bytes) -> bytes:
        """The structure's bytes; fields not given are zero. Raises KeyError, struct.error."""
        for name in values:
            self[name]
        return self.codec.pack(
            *(
                values.get(member.name, b"" if member.format.endswith("s") else 0)
                for member in self.fields
            )
        )

    def unpack(self, data: bytes | memoryview) -> dict[str, int | bytes]:
        """Field values by name from exactly `size` bytes. Raises struct.error."""
        return dict(zip(
            (member.name for member in self.fields), self.codec.unpack(data), strict=True
        ))


def _layout(name: str, size: int, *fields: tuple[str, int, str]) -> Layout:
    return Layout(name, size, tuple(Field(*member) for member in fields))


SOCKADDR_IN: Final = _layout(
    "sockaddr_in", 16,
    ("sin_len", 0, "B"), ("sin_family", 1, "B"), ("sin_port", 2, "2s"), ("sin_addr", 4, "4s"),
    ("sin_zero", 8, "8s"),
)
SOCKADDR_IN6: Final = _layout(
    "sockaddr_in6", 28,
    ("sin6_len", 0, "B"), ("sin6_family", 1, "B"), ("sin6_port", 2, "2s"),
    ("sin6_flowinfo", 4, "4s"), ("sin6_addr", 8, "16s"), ("sin6_scope_id", 24, "I"),
)
SOCKADDR_UN: Final = _layout(
    "sockaddr_un", 106,
    ("sun_len", 0, "B"), ("sun_family", 1, "B"), ("sun_path", 2, "104s"),
)
SOCKADDR_STORAGE: Final = _layout(
    "sockaddr_storage", 128, ("ss_len", 0, "B"), ("ss_family", 1, "B")
)
STAT64: Final = _layout(
    "stat64", 144,
    ("st_dev", 0, "I"), ("st_mode", 4, "H"), ("st_nlink", 6, "H"), ("st_ino", 8, "Q"),
    ("st_uid", 16, "I"), ("st_gid", 20, "I"), ("st_rdev", 24, "I"),
    ("st_atime", 32, "q"), ("st_atimensec", 40, "q"),
    ("st_mtime", 48, "q"), ("st_mtimensec", 56, "q"),
    ("st_ctime", 64, "q"), ("st_ctimensec", 72, "q"),
    ("st_birthtime", 80, "q"), ("st_birthtimensec", 88, "q"),
    ("st_size", 96, "q"), ("st_blocks", 104, "q"), ("st_blksize", 112, "i"),
    ("st_flags", 116, "I"), ("st_gen", 120, "I"), ("st_lspare", 124, "i"),
    ("st_qspare", 128, "16s"),
)
#: The form of before 64-bit inode numbers: bsd/sys/stat.h, struct user64_stat.
STAT: Final = _layout(
    "stat", 120,
    ("st_dev", 0, "I"), ("st_ino", 4, "I"), ("st_mode", 8, "H"), ("st_nlink", 10, "H"),
    ("st_uid", 12, "I"), ("st_gid", 16, "I"), ("st_rdev", 20, "I"),
    ("st_atime", 24, "q"), ("st_atimensec", 32, "q"),
    ("st_mtime", 40, "q"), ("st_mtimensec", 48, "q"),
    ("st_ctime", 56, "q"), ("st_ctimensec", 64, "q"),
    ("st_size", 72, "q"), ("st_blocks", 80, "q"), ("st_blksize", 88, "i"),
    ("st_flags", 92, "I"), ("st_gen", 96, "I"), ("st_lspare", 100, "i"),
    ("st_qspare", 104, "16s"),
)
#: The fixed head of an entry; the name follows at 21 and ends with a NUL.
DIRENT: Final = _layout(
    "dirent", 21,
    ("d_ino", 0, "Q"), ("d_seekoff", 8, "Q"), ("d_reclen", 16, "H"), ("d_namlen", 18, "H"),
    ("d_type", 20, "B"),
)
TIMEVAL: Final = _layout("timeval", 16, ("tv_sec", 0, "q"), ("tv_usec", 8, "i"))
TIMESPEC: Final = _layout("timespec", 16, ("tv_sec", 0, "q"), ("tv_nsec", 8, "q"))
TIMEZONE: Final = _layout("timezone", 8, ("tz_minuteswest", 0, "i"), ("tz_dsttime", 4, "i"))
ITIMERVAL: Final = _layout(
    "itimerval", 32,
    ("it_interval_sec", 0, "q"), ("it_interval_usec", 8, "i"),
    ("it_value_sec", 16, "q"), ("it_value_usec", 24, "i"),
)
IOVEC: Final = _layout("iovec", 16, ("iov_base", 0, "Q"), ("iov_len", 8, "Q"))
MSGHDR: Final = _layout(
    "msghdr", 48,
    ("msg_name", 0, "Q"), ("msg_namelen", 8, "I"), ("msg_iov", 16, "Q"),
    ("msg_iovlen", 24, "i"), ("msg_control", 32, "Q"), ("msg_controllen", 40, "I"),
    ("msg_flags", 44, "i"),
)
CMSGHDR: Final = _layout(
    "cmsghdr", 12, ("cmsg_len", 0, "I"), ("cmsg_level", 4, "i"), ("cmsg_type", 8, "i")
)
#: What sigaction takes: with the trampoline.
SIGACTION_IN: Final = _layout(
    "__sigaction", 24,
    ("sa_handler", 0, "Q"), ("sa_tramp", 8, "Q"), ("sa_mask", 16, "I"), ("sa_flags", 20, "i"),
)
#: What sigaction gives back: without it.
SIGACTION_OUT: Final = _layout(
    "sigaction", 16, ("sa_handler", 0, "Q"), ("sa_mask", 8, "I"), ("sa_flags", 12, "i")
)
STACK: Final = _layout(
    "stack_t", 24, ("ss_sp", 0, "Q"), ("ss_size", 8, "Q"), ("ss_flags", 16, "i")
)
SIGINFO: Final = _layout(
    "siginfo", 104,
    ("si_signo", 0, "i"), ("si_errno", 4, "i"), ("si_code", 8, "i"), ("si_pid", 12, "i"),
    ("si_uid", 16, "I"), ("si_status", 20, "i"), ("si_addr", 24, "Q"), ("si_value", 32, "Q"),
    ("si_band", 40, "q"), ("si_pad", 48, "56s"),
)
UCONTEXT64: Final = _layout(
    "ucontext64", 56,
    ("uc_onstack", 0, "i"), ("uc_sigmask", 4, "I"), ("uc_stack_sp", 8, "Q"),
    ("uc_stack_size", 16, "Q"), ("uc_stack_flags", 24, "i"), ("uc_link", 32, "Q"),
    ("uc_mcsize", 40, "Q"), ("uc_mcontext64", 48, "Q"),
)
MCONTEXT64: Final = _layout(
    "mcontext64", 816,
    ("far", 0, "Q"), ("esr", 8, "I"), ("exception", 12, "I"),
    *((f"x{n}", 16 + 8 * n, "Q") for n in range(29)),
    ("fp", 248, "Q"), ("lr", 256, "Q"), ("sp", 264, "Q"), ("pc", 272, "Q"), ("cpsr", 280, "I"),
    *((f"q{n}", 288 + 16 * n, "16s") for n in range(32)),
    ("fpsr", 800, "I"), ("fpcr", 804, "I"),
)
KEVENT: Final = _layout(
    "kevent", 32,
    ("ident", 0, "Q"), ("filter", 8, "h"), ("flags", 10, "H"), ("fflags", 12, "I"),
    ("data", 16, "q"), ("udata", 24, "Q"),
)
KEVENT64: Final = _layout(
    "kevent64_s", 48,
    ("ident", 0, "Q"), ("filter", 8, "h"), ("flags", 10, "H"), ("fflags", 12, "I"),
    ("data", 16, "q"), ("udata", 24, "Q"), ("ext0", 32, "Q"), ("ext1", 40, "Q"),
)
SF_HDTR: Final = _layout(
    "sf_hdtr", 32,
    ("headers", 0, "Q"), ("hdr_cnt", 8, "i"), ("trailers", 16, "Q"), ("trl_cnt", 24, "i"),
)
RLIMIT: Final = _layout("rlimit", 16, ("rlim_cur", 0, "Q"), ("rlim_max", 8, "Q"))
STATFS64: Final = _layout(
    "statfs64", 2168,
    ("f_bsize", 0, "I"), ("f_iosize", 4, "i"), ("f_blocks", 8, "Q"), ("f_bfree", 16, "Q"),
    ("f_bavail", 24, "Q"), ("f_files", 32, "Q"), ("f_ffree", 40, "Q"), ("f_fsid", 48, "Q"),
    ("f_owner", 56, "I"), ("f_type", 60, "I"), ("f_flags", 64, "I"), ("f_fssubtype", 68, "I"),
    ("f_fstypename", 72, "16s"), ("f_mntonname", 88, "1024s"),
    ("f_mntfromname", 1112, "1024s"), ("f_flags_ext", 2136, "I"), ("f_reserved", 2140, "28s"),
)
FLOCK: Final = _layout(
    "flock", 24,
    ("l_start", 0, "q"), ("l_len", 8, "q"), ("l_pid", 16, "i"), ("l_type", 20, "h"),
    ("l_whence", 22, "h"),
)
#: F_PREALLOCATE's argument, <sys/fcntl.h> fstore_t.
FSTORE: Final = _layout(
    "fstore", 32,
    ("fst_flags", 0, "I"), ("fst_posmode", 4, "i"), ("fst_offset", 8, "q"),
    ("fst_length", 16, "q"), ("fst_bytesalloc", 24, "q"),
)
#: F_PUNCHHOLE's argument, <sys/fcntl.h> fpunchhole_t.
FPUNCHHOLE: Final = _layout(
    "fpunchhole", 24,
    ("fp_flags", 0, "I"), ("reserved", 4, "I"), ("fp_offset", 8, "q"), ("fp_length", 16, "q"),
)
POLLFD: Final = _layout("pollfd", 8, ("fd", 0, "i"), ("events", 4, "h"), ("revents", 6, "h"))
LINGER: Final = _layout("linger", 8, ("l_onoff", 0, "i"), ("l_linger", 4, "i"))
ATTRLIST: Final = _layout(
    "attrlist", 24,
    ("bitmapcount", 0, "H"), ("reserved", 2, "H"), ("commonattr", 4, "I"), ("volattr", 8, "I"),
    ("dirattr", 12, "I"), ("fileattr", 16, "I"), ("forkattr", 20, "I"),
)
ATTRIBUTE_SET: Final = _layout(
    "attribute_set", 20,
    ("commonattr", 0, "I"), ("volattr", 4, "I"), ("dirattr", 8, "I"), ("fileattr", 12, "I"),
    ("forkattr", 16, "I"),
)
RUSAGE: Final = _layout(
    "rusage", 144,
    ("ru_utime_sec", 0, "q"), ("ru_utime_usec", 8, "i"),
    ("ru_stime_sec", 16, "q"), ("ru_stime_usec", 24, "i"),
    *(
        (name, 32 + 8 * n, "q")
        for n, name in enumerate((
            "ru_maxrss", "ru_ixrss", "ru_idrss", "ru_isrss", "ru_minflt", "ru_majflt",
            "ru_nswap", "ru_inblock", "ru_oublock", "ru_msgsnd", "ru_msgrcv", "ru_nsignals",
            "ru_nvcsw", "ru_nivcsw",
        ))
    ),
)
WINSIZE: Final = _layout(
    "winsize", 8, ("ws_row", 0, "H"), ("ws_col", 2, "H"), ("ws_xpixel", 4, "H"),
    ("ws_ypixel", 6, "H"),
)
MACH_TIMEBASE_INFO: Final = _layout(
    "mach_timebase_info", 8, ("numer", 0, "I"), ("denom", 4, "I")
)

#: Every structure by the name of its header.
LAYOUTS: Final[dict[str, Layout]] = {
    layout.name: layout for layout in list(globals().values()) if isinstance(layout, Layout)
}
