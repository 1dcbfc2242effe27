"""Every number of abi.inc against the emulated kernel's, and every layout."""

from __future__ import annotations

from itertools import pairwise

import pytest
from support.layout import constants, fields

from ymawky_kit.darwin import abi, errno, structs
from ymawky_kit.darwin.kernel import load_rows, table

load_rows()
ABI = constants("abi.inc")
CALLS = {name: value for name, value in ABI.items() if name.startswith("SYS_")}
#: Prefix in abi.inc, structure, prefix in the structure.
LAYOUTS = {
    "STAT_": (structs.STAT64, "st_"), "SOCKADDR_": (structs.SOCKADDR_IN, "sin_"),
    "IOVEC_": (structs.IOVEC, "iov_"), "SF_HDTR_": (structs.SF_HDTR, ""),
    "SIGACTION_": (structs.SIGACTION_IN, "sa_"), "ITIMERVAL_": (structs.ITIMERVAL, "it_"),
}
#: Fields that we call by a longer, or a shorter, name.
NAMES = {"sin_length": "sin_len", "sin_address": "sin_addr",
         "it_interval": "it_interval_sec", "it_value": "it_value_sec"}
OFFSETS = [
    (prefix, name) for prefix in LAYOUTS for name in ABI
    if name.startswith(prefix) and not name.endswith("_SIZEOF")
]


@pytest.mark.parametrize("name", CALLS)
def test_a_call_has_its_number(name: str) -> None:
    row = table.get(CALLS[name])
    assert row is not None
    assert name.removeprefix("SYS_") == row.name


def test_every_other_constant_has_its_value() -> None:
    unchecked = set(ABI) - set(CALLS) - {name for _, name in OFFSETS}
    for name in sorted(unchecked):
        if name.endswith("_SIZEOF"):
            assert LAYOUTS[name.removesuffix("SIZEOF")][0].size == ABI[name], name
        else:
            known = errno if hasattr(errno, name) else abi
            assert getattr(known, name) == ABI[name], name


@pytest.mark.parametrize(("prefix", "name"), OFFSETS)
def test_a_field_is_where_the_kernel_has_it(prefix: str, name: str) -> None:
    layout, start = LAYOUTS[prefix]
    field = start + name.removeprefix(prefix).lower()
    assert layout.offset(NAMES.get(field, field)) == ABI[name]


@pytest.mark.parametrize("name", ["request.inc", "reply.inc", "config.inc", "upload.inc"])
def test_our_structures_have_no_gap_and_no_overlap(name: str) -> None:
    end = 0
    for field, (offset, size) in fields(name).items():
        assert end == offset or (size == 8 and end + 4 == offset), field
        assert 0 == offset % size, field
        end = offset + size
    size = next(value for key, value in constants(name).items() if key.endswith("_SIZEOF"))
    assert end <= size <= end + 8


def test_a_connection_holds_its_parts_one_behind_the_other() -> None:
    conn, http = constants("conn.inc"), constants("http.inc")
    assert conn["CONN_REQUEST"] + constants("request.inc")["REQUEST_SIZEOF"] <= conn["CONN_REPLY"]
    assert conn["CONN_REPLY"] + constants("reply.inc")["REPLY_SIZEOF"] <= conn["CONN_UPLOAD"]
    upload = constants("upload.inc")["UPLOAD_SIZEOF"]
    assert conn["CONN_UPLOAD"] + upload <= conn["CONN_CLEAR_SIZE"]
    assert 0 == conn["CONN_CLEAR_SIZE"] % 64
    assert conn["CONN_CLEAR_SIZE"] <= conn["CONN_STAT"]
    assert conn["CONN_STAT"] + ABI["STAT_SIZEOF"] <= conn["CONN_PATH"]
    parts = ("PATH", "NAME", "PAGE", "OUT", "IN", "SIZEOF")
    for part, behind in pairwise(parts):
        assert conn[f"CONN_{part}"] + conn[f"CONN_{part}_SIZE"] == conn[f"CONN_{behind}"]
    assert len(b"/index.html\0") <= conn["CONN_PATH_SPARE"]
    assert len(b".~2147483647-2147483647-99\0") <= conn["CONN_NAME_SIZE"]
    # A redirect: each byte of the path becomes three, the query stays as it is.
    longest = 3 * conn["CONN_PATH_SIZE"] + http["REQUEST_LINE_MAX_BYTES"] + 1024
    assert longest <= conn["CONN_OUT_SIZE"]
    # A head that fills the buffer has met its limit.
    assert http["HEAD_MAX_BYTES"] + 2 == conn["CONN_IN_SIZE"]
