"""Every number in abi.inc is the one the emulated kernel works with."""

from __future__ import annotations

from typing import NamedTuple

import pytest
from support.layout import constants, fields

from ymawky_kit.darwin import abi, errno
from ymawky_kit.darwin.kernel import load_rows
from ymawky_kit.darwin.structs import LAYOUTS
from ymawky_kit.darwin.table import table

load_rows()


class Constant(NamedTuple):
    name: str
    value: int
    size: int | None        # of a field, where the comment says "8 bytes"


def listed() -> list[Constant]:
    sizes = fields("abi.inc")
    return [
        Constant(name, value, sizes[name][1] if name in sizes else None)
        for name, value in constants("abi.inc").items()
    ]


#: Prefix of our names -> structure, and what its own names begin with.
STRUCTURES = {
    "STAT_": ("stat64", "st_"),
    "DIRENT_": ("dirent", "d_"),
    "TIMEVAL_": ("timeval", "tv_"),
    "TIMESPEC_": ("timespec", "tv_"),
    "ITIMERVAL_": ("itimerval", "it_"),
    "IOVEC_": ("iovec", "iov_"),
    "SF_HDTR_": ("sf_hdtr", ""),
    "SIGACTION_": ("__sigaction", "sa_"),
    "SOCKADDR_": ("sockaddr_in", "sin_"),
    "POLLFD_": ("pollfd", ""),
    "KEVENT_": ("kevent", ""),
    "RLIMIT_": ("rlimit", "rlim_"),
    "ATTRLIST_": ("attrlist", ""),
    "RUSAGE_": ("rusage", "ru_"),
    "MSGHDR_": ("msghdr", "msg_"),
    "LINGER_": ("linger", "l_"),
}
#: Fields that go by another name here: a word for an abbreviation, a pair for its first half.
OTHER_NAMES = {
    "SOCKADDR_LENGTH": "sin_len",
    "SOCKADDR_ADDRESS": "sin_addr",
    "ITIMERVAL_INTERVAL": "it_interval_sec",
    "ITIMERVAL_VALUE": "it_value_sec",
}
PAIRS = {"ITIMERVAL_INTERVAL": 16, "ITIMERVAL_VALUE": 16}


def expected(constant: Constant) -> tuple[int, int | None]:
    """The kernel's value of a name, and the size of the field it stands for."""
    name = constant.name
    if name.startswith("SYS_"):
        row = table.named(name.removeprefix("SYS_"))
        assert row is not None, f"the emulator has no call {name}"
        return row.number, None
    for module in (abi, errno):
        if hasattr(module, name):
            return getattr(module, name), None
    for prefix, (layout_name, field_prefix) in STRUCTURES.items():
        if not name.startswith(prefix):
            continue
        layout = LAYOUTS[layout_name]
        if name == prefix + "SIZEOF":
            return layout.size, None
        field = OTHER_NAMES.get(name, field_prefix + name.removeprefix(prefix).lower())
        return layout.offset(field), PAIRS.get(name, layout[field].size)
    raise AssertionError(f"{name} belongs to nothing: give its structure a line in this test")


@pytest.mark.parametrize("constant", listed(), ids=lambda constant: constant.name)
def test_a_constant_of_the_sources_is_the_kernels(constant: Constant) -> None:
    value, size = expected(constant)
    assert value == constant.value
    if constant.size is not None and size is not None:
        assert size == constant.size


def test_the_sources_name_calls_errors_and_fields() -> None:
    names = [constant.name for constant in listed()]
    for prefix in ("SYS_", "E", "O_", "STAT_"):
        assert any(name.startswith(prefix) for name in names)
