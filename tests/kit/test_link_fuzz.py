"""Any objects at all give a sound program or an error for people, never a crash."""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st
from support.linking import CODE_FLAGS, ZERO_FILL

from ymawky_kit import macho
from ymawky_kit.link import link
from ymawky_kit.obj import ObjectFile, Relocation, RelocationKind, Section, Symbol
from ymawky_kit.source import KitError

NAMES = ["start", "one", "two", "three", "NUMBER"]
WORDS = [0x94000000, 0x90000000, 0x91000000, 0xF9400000, 0xD65F03C0, 0]
PLACES = [("__TEXT", "__text", CODE_FLAGS), ("__TEXT", "__const", 0), ("__DATA", "__data", 0),
          ("__DATA", "__const", 0), ("__DATA", "__bss", ZERO_FILL), ("__TEXT", "__cstring", 2)]

relocations = st.builds(
    Relocation,
    offset=st.sampled_from([0, 4, 8, 16, 1, -4, 1000]),
    kind=st.sampled_from(RelocationKind),
    symbol=st.sampled_from(NAMES),
    addend=st.sampled_from([0, 0, 0, 8, -8, 4096, 1 << 40, -(1 << 70)]),
    size=st.sampled_from([4, 8]),
)


@st.composite
def sections(draw: st.DrawFn) -> Section:
    segment, name, flags = draw(st.sampled_from(PLACES))
    align = draw(st.integers(0, 5))
    if flags == ZERO_FILL:
        return Section(segment, name, align, b"", draw(st.integers(0, 50_000)), flags)
    words = draw(st.lists(st.sampled_from(WORDS), max_size=8))
    data = b"".join(word.to_bytes(4, "little") for word in words)
    data += draw(st.binary(max_size=3))
    return Section(segment, name, align, data, len(data), flags,
                   tuple(draw(st.lists(relocations, max_size=3))))


@st.composite
def modules(draw: st.DrawFn) -> ObjectFile:
    parts = draw(st.lists(sections(), max_size=4))
    symbols = []
    for name in draw(st.lists(st.sampled_from(NAMES), max_size=3)):
        number = draw(st.sampled_from([None, *range(len(parts))]))
        most = (1 << 66) if number is None else parts[number].size
        symbols.append(Symbol(name, number, draw(st.integers(0, most)), draw(st.booleans())))
    return ObjectFile(draw(st.sampled_from(["a", "b", "c"])), tuple(parts), tuple(symbols))


START = ObjectFile("start", (Section("__TEXT", "__text", 2, b"\xc0\x03\x5f\xd6", 4, CODE_FLAGS),),
                   (Symbol("start", 0, 0, True),))


@given(st.lists(modules(), max_size=3))
def test_any_modules_link_to_a_sound_program_or_say_why_not(others: list[ObjectFile]) -> None:
    for objects in (others, [START, *others]):
        try:
            linked = link(objects, identifier="fuzz")
        except KitError as error:
            assert all(diagnostic.message for diagnostic in error.diagnostics)
            continue
        data = macho.build(linked)
        assert () == macho.check(data)
        assert linked.rebases == macho.read(data).rebases


@given(modules())
def test_any_module_becomes_an_object_file_or_says_why_not(module: ObjectFile) -> None:
    try:
        macho.write_object(module)
    except KitError as error:
        assert "bytes away from itself" in str(error) or "outside its section" in str(error)
