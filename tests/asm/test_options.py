"""main/options and net/address, called directly."""

from __future__ import annotations

import ipaddress
import struct

import pytest
from hypothesis import given
from hypothesis import strategies as st
from support.contract import Asm
from support.layout import Record, constants

DEFAULTS = {
    "CONFIG_PORT": 8080, "CONFIG_ADDRESS": 0x0100007F, "CONFIG_CHILDREN_MAX": 256,
    "CONFIG_HEAD_SECONDS": 10, "CONFIG_ERRORS": 0, "CONFIG_NO_LISTINGS": 0,
    "CONFIG_WRITABLE": 0, "CONFIG_BODY_MAX": 1 << 30,
}


def parse(asm: Asm, *words: bytes) -> tuple[bool, int, Record]:
    config = Record(asm, "config.inc", asm.alloc(constants("config.inc")["CONFIG_SIZEOF"]))
    pointers = [asm.text(word) for word in (b"ymawky", *words)]
    result = asm.call("options_parse", config.address,
                      asm.alloc(struct.pack(f"<{len(pointers) + 1}Q", *pointers, 0)))
    return result.carry, result.value, config


def cstring(asm: Asm, address: int) -> bytes:
    text = b""
    while (byte := asm.peek(address + len(text), 1)) != b"\0":
        text += byte
    return text


def test_nothing_said_means_the_defaults(asm: Asm) -> None:
    carry, _, config = parse(asm)
    assert not carry
    assert DEFAULTS == {name: config[name] for name in DEFAULTS}
    assert (b".", b"127.0.0.1") == (
        cstring(asm, config["CONFIG_ROOT"]), cstring(asm, config["CONFIG_ADDRESS_TEXT"]))


def test_everything_said_is_kept(asm: Asm) -> None:
    carry, _, config = parse(
        asm, b"--port", b"0", b"root", b"--address", b"10.20.30.40", b"--errors", b"err",
        b"--children", b"7", b"--no-listings", b"--head-seconds", b"3600",
    )
    assert not carry
    assert (0, 7, 3600, 1) == (
        config["CONFIG_PORT"], config["CONFIG_CHILDREN_MAX"], config["CONFIG_HEAD_SECONDS"],
        config["CONFIG_NO_LISTINGS"])
    assert (b"root", b"err", b"10.20.30.40") == tuple(
        cstring(asm, config[name]) for name in ("CONFIG_ROOT", "CONFIG_ERRORS",
                                                "CONFIG_ADDRESS_TEXT"))
    assert ipaddress.ip_address("10.20.30.40").packed == asm.peek(
        config.address + constants("config.inc")["CONFIG_ADDRESS"], 4)


@pytest.mark.parametrize(("words", "status"), [
    ([b"--help"], 0), ([b"--version"], 0), ([b"--port", b"1", b"--help"], 0), ([b"-"], 64),
    ([b"--"], 64), ([b"--por"], 64), ([b"--portx", b"1"], 64), ([b"--port"], 64),
    ([b"a", b"b"], 64),
    ([b"--port", b"--help"], 64), ([b"--port", b"99999999999999999999"], 64),
])
def test_what_ends_the_program_at_once(asm: Asm, words: list[bytes], status: int) -> None:
    assert (True, status) == parse(asm, *words)[:2]


def test_the_last_of_two_equal_options_counts(asm: Asm) -> None:
    assert 2 == parse(asm, b"--port", b"1", b"--port", b"2")[2]["CONFIG_PORT"]


@given(st.text("0123456789.x ", max_size=16) | st.ip_addresses(v=4).map(str))
def test_an_address_is_what_ipaddress_takes(asm: Asm, text: str) -> None:
    """But for leading zeros, which we read as decimal."""
    asm.reset()
    result = asm.call("ipv4_parse", asm.text(text.encode()))
    plain = ".".join(part.lstrip("0") or "0" if part.isdigit() and len(part) <= 3 else part
                     for part in text.split("."))
    try:
        want = int.from_bytes(ipaddress.IPv4Address(plain).packed, "little")
    except ValueError:
        assert (True, 22) == (result.carry, result.value)
    else:
        assert (False, want) == (result.carry, result.value)


def test_writing_is_off_until_it_is_asked_for(asm: Asm) -> None:
    for words, writable in (((), 0), ((b"--writable",), 1), ((b"--writable", b"--writable"), 1)):
        assert writable == parse(asm, *words, b"root")[2]["CONFIG_WRITABLE"]


@pytest.mark.parametrize(("value", "kept"), [
    (b"0", 0), (b"1048576", 1048576), (b"4294967295", -1), (b"4294967296", None), (b"-1", None),
    (b"1M", None), (b"", None),
])
def test_a_limit_for_bodies_has_32_bits(asm: Asm, value: bytes, kept: int | None) -> None:
    carry, status, config = parse(asm, b"--body-max", value)
    assert (kept is None) == carry
    assert status == 64 if kept is None else kept == config["CONFIG_BODY_MAX"]
