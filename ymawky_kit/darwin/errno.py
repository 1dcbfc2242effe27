"""Error numbers of Darwin, and what a host's error becomes there.

Handlers raise :class:`Errno`; only the dispatcher turns it into carry and x0.
Source: XNU bsd/sys/errno.h.  Numbers are translated by name, because Linux and
Darwin disagree from 35 on (EAGAIN is 35 here and 11 there).
"""

from __future__ import annotations

import errno as _host
from typing import Final

EPERM: Final = 1
ENOENT: Final = 2
ESRCH: Final = 3
EINTR: Final = 4
EIO: Final = 5
ENXIO: Final = 6
E2BIG: Final = 7
ENOEXEC: Final = 8
EBADF: Final = 9
ECHILD: Final = 10
EDEADLK: Final = 11
ENOMEM: Final = 12
EACCES: Final = 13
EFAULT: Final = 14
ENOTBLK: Final = 15
EBUSY: Final = 16
EEXIST: Final = 17
EXDEV: Final = 18
ENODEV: Final = 19
ENOTDIR: Final = 20
EISDIR: Final = 21
EINVAL: Final = 22
ENFILE: Final = 23
EMFILE: Final = 24
ENOTTY: Final = 25
ETXTBSY: Final = 26
EFBIG: Final = 27
ENOSPC: Final = 28
ESPIPE: Final = 29
EROFS: Final = 30
EMLINK: Final = 31
EPIPE: Final = 32
EDOM: Final = 33
ERANGE: Final = 34
EAGAIN: Final = 35
EINPROGRESS: Final = 36
EALREADY: Final = 37
ENOTSOCK: Final = 38
EDESTADDRREQ: Final = 39
EMSGSIZE: Final = 40
EPROTOTYPE: Final = 41
ENOPROTOOPT: Final = 42
EPROTONOSUPPORT: Final = 43
ESOCKTNOSUPPORT: Final = 44
ENOTSUP: Final = 45
EPFNOSUPPORT: Final = 46
EAFNOSUPPORT: Final = 47
EADDRINUSE: Final = 48
EADDRNOTAVAIL: Final = 49
ENETDOWN: Final = 50
ENETUNREACH: Final = 51
ENETRESET: Final = 52
ECONNABORTED: Final = 53
ECONNRESET: Final = 54
ENOBUFS: Final = 55
EISCONN: Final = 56
ENOTCONN: Final = 57
ESHUTDOWN: Final = 58
ETOOMANYREFS: Final = 59
ETIMEDOUT: Final = 60
ECONNREFUSED: Final = 61
ELOOP: Final = 62
ENAMETOOLONG: Final = 63
EHOSTDOWN: Final = 64
EHOSTUNREACH: Final = 65
ENOTEMPTY: Final = 66
EPROCLIM: Final = 67
EUSERS: Final = 68
EDQUOT: Final = 69
ESTALE: Final = 70
EREMOTE: Final = 71
EBADRPC: Final = 72
ERPCMISMATCH: Final = 73
EPROGUNAVAIL: Final = 74
EPROGMISMATCH: Final = 75
EPROCUNAVAIL: Final = 76
ENOLCK: Final = 77
ENOSYS: Final = 78
EFTYPE: Final = 79
EAUTH: Final = 80
ENEEDAUTH: Final = 81
EPWROFF: Final = 82
EDEVERR: Final = 83
EOVERFLOW: Final = 84
EBADEXEC: Final = 85
EBADARCH: Final = 86
ESHLIBVERS: Final = 87
EBADMACHO: Final = 88
ECANCELED: Final = 89
EIDRM: Final = 90
ENOMSG: Final = 91
EILSEQ: Final = 92
ENOATTR: Final = 93
EBADMSG: Final = 94
EMULTIHOP: Final = 95
ENODATA: Final = 96
ENOLINK: Final = 97
ENOSR: Final = 98
ENOSTR: Final = 99
EPROTO: Final = 100
ETIME: Final = 101
EOPNOTSUPP: Final = 102
ENOPOLICY: Final = 103
ENOTRECOVERABLE: Final = 104
EOWNERDEAD: Final = 105
EQFULL: Final = 106

#: Number -> name.
NAMES: Final[dict[int, str]] = {
    value: name for name, value in list(globals().items()) if name[0] == "E"
}
#: A second name for one number.
EWOULDBLOCK: Final = EAGAIN

#: Kernel-internal: run the svc again; leave the registers as the handler set them.
ERESTART: Final = -1
EJUSTRETURN: Final = -2


class Errno(Exception):
    """A system call failed with a Darwin error number."""

    __slots__ = ("number",)

    def __init__(self, number: int) -> None:
        self.number = number

    @property
    def name(self) -> str:
        return name(self.number)

    def __str__(self) -> str:
        return self.name


def name(number: int) -> str:
    """`ENOENT` for 2; an unknown number as digits."""
    return NAMES.get(number, str(number))


def _by_name() -> dict[int, int]:
    ours = {text: number for number, text in NAMES.items()}
    ours["EDEADLOCK"] = EDEADLK
    table: dict[int, int] = {}
    for number, text in _host.errorcode.items():
        if text in ours:
            table[number] = ours[text]
    # Linux has one number for both; files say ENOTSUP, sockets EOPNOTSUPP.
    if _host.ENOTSUP == _host.EOPNOTSUPP:
        table[_host.ENOTSUP] = ENOTSUP
    return table


#: Host number -> Darwin number, for calls on files.
FROM_HOST: Final[dict[int, int]] = _by_name()
#: The same for calls on sockets: only "not supported" differs.
FROM_HOST_SOCKET: Final[dict[int, int]] = {**FROM_HOST, _host.EOPNOTSUPP: EOPNOTSUPP}


def from_host(number: int | None, *, socket: bool = False) -> int:
    """A host's errno as Darwin's; EIO where Darwin has no such error."""
    table = FROM_HOST_SOCKET if socket else FROM_HOST
    return table.get(number or 0, EIO)
