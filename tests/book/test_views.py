"""Views: text and HTML of the same data, safe for any content, the same every time."""

from __future__ import annotations

import re
from collections.abc import Callable
from html.parser import HTMLParser

import pytest
from hypothesis import given
from hypothesis import strategies as st

from ymawky_kit.lab.drive import Finished, parse_plan, step, trace
from ymawky_kit.lab.look import build, card, dump, encode, filemap, kernel_says, listing, symbols
from ymawky_kit.lab.magics import BENCH
from ymawky_kit.lab.snippets import Module
from ymawky_kit.source import KitError
from ymawky_kit.view.core import View, esc, tag
from ymawky_kit.view.encoding import explain
from ymawky_kit.view.exchange import Exchange
from ymawky_kit.view.filemap import FileMap, Mapped, Region
from ymawky_kit.view.listing import FOLD_ROWS, Dump, Listing, Mark, Row
from ymawky_kit.view.registers import Registers, flags, value
from ymawky_kit.view.timeline import Call, Timeline
from ymawky_kit.view.trace import Step, Trace

VOID = {"br", "img", "meta", "link", "input"}


class Checker(HTMLParser):
    """Well-formed HTML: every tag closed in order; collects the text."""

    def __init__(self) -> None:
        super().__init__(convert_charrefs=True)
        self.open: list[str] = []
        self.words: list[str] = []
        self.tags: set[str] = set()

    def handle_starttag(self, name: str, attrs: list[tuple[str, str | None]]) -> None:
        self.tags.add(name)
        if name not in VOID:
            self.open.append(name)

    def handle_startendtag(self, name: str, attrs: list[tuple[str, str | None]]) -> None:
        self.tags.add(name)

    def handle_endtag(self, name: str) -> None:
        assert self.open and name == self.open[-1], (name, self.open)
        self.open.pop()

    def handle_data(self, data: str) -> None:
        self.words.append(data)


def parsed(html: str) -> Checker:
    checker = Checker()
    checker.feed(html)
    checker.close()
    assert [] == checker.open
    return checker


#: Views made of one text that a program, a file or a reader chose.
MADE_OF_TEXT: dict[str, Callable[[str], View]] = {
    "listing": lambda t: Listing([Row(0, b"\x00", t, label=t, note=t)], title=t, mark=t),
    "dump": lambda t: Dump(t.encode("utf-8", "replace"), title=t, marks=[Mark(0, 1, t)]),
    "registers": lambda t: Registers({"x0": 1}, {"x0": 2}, title=t),
    "timeline": lambda t: Timeline([Call(1, t, t), Call(2, t, t, True, True, 3)], title=t,
                                   names={1: t}, ending=t),
    "trace": lambda t: Trace([Step(0, t, {"x0": 1}, (), t)], start={"x0": 0}, title=t, ending=t,
                             labels={0: t}, memory=[(t, 0, b"")]),
    "filemap": lambda t: FileMap([Region(t, 0, 9, "code", t)], [Mapped(t, 0, 9, 0, 9, 5)],
                                 title=t),
    "finished": lambda t: Finished(t, 0, t, t.encode("utf-8", "replace"), b"\xff"),
    "exchange": lambda t: Exchange(t.encode("utf-8", "replace"), t.encode("utf-8", "replace")),
    "exchange bytes": lambda t: Exchange(t.encode("utf-8", "replace"), b"\xff\0\n").bytes(),
}


@pytest.mark.parametrize("name", sorted(MADE_OF_TEXT))
def test_no_text_becomes_markup(name: str) -> None:
    nasty = "<script>alert(1)</script>\"'&<!-- --><img src=x onerror=y>"
    harmless = parsed(MADE_OF_TEXT[name]("plain").html()).tags
    assert harmless == parsed(MADE_OF_TEXT[name](nasty).html()).tags


@given(st.text(max_size=40), st.sampled_from(sorted(MADE_OF_TEXT)))
def test_any_text_gives_well_formed_html_and_the_same_twice(text: str, name: str) -> None:
    view = MADE_OF_TEXT[name](text)
    parsed(view.html())
    assert view.html() == MADE_OF_TEXT[name](text).html()
    assert view.text() == repr(view)
    assert not view.text().endswith("\n") or name in ("exchange", "finished") or text


def test_attributes_are_escaped_and_false_ones_left_out() -> None:
    assert '<a title="&quot;&lt;&#x27;" data-x="1" open></a>' == tag(
        "a", title="\"<'", data_x=1, open=True, hidden=None)
    assert "&amp;lt;" == esc("&lt;")


@pytest.mark.parametrize(("number", "shown"), [
    (0, "0"), (9, "9"), (10, "10 (0xa)"), (42, "42 (0x2a)"), (65535, "65535 (0xffff)"),
    (65536, "0x10000"), ((1 << 64) - 1, "-1"), ((1 << 64) - 4096, "-4096 (0xfffffffffffff000)"),
    (1 << 63, "0x8000000000000000"),
])
def test_a_value_is_shown_as_people_read_it(number: int, shown: str) -> None:
    assert shown == value(number)


def test_flags_are_letters_where_set() -> None:
    assert ("----", "N---", "-Z--", "--C-", "---V", "NZCV") == tuple(
        flags(bits << 28) for bits in (0, 8, 4, 2, 1, 15))


def test_every_view_of_a_real_program_is_well_formed_and_says_the_same_twice() -> None:
    hello = build("hello")
    for make in (lambda: hello, lambda: listing(hello), lambda: symbols(hello),
                 lambda: filemap(hello), lambda: dump(hello, 0, 64, names=["magic"]),
                 lambda: kernel_says(hello), lambda: card("mov x0, #42"),
                 lambda: trace(hello), lambda: step(hello)):
        first, second = make(), make()
        assert first.text() == second.text()
        assert first.html() == second.html()
        parsed(first.html())


def test_the_html_of_a_listing_says_what_its_text_says() -> None:
    view = listing(build("hello"), "main")
    said = " ".join(" ".join(parsed(view.html()).words).split())
    for row in view.rows:
        assert " ".join(row.text.split()) in said
        assert row.data.hex(" ") in said


def test_every_instruction_of_a_listing_opens_and_shows_its_bits() -> None:
    view = listing(build("hello"))
    code = [row for row in view.rows if not row.text.startswith(".")]
    html = view.html()
    assert len(code) == html.count("<details")
    assert "script" not in parsed(html).tags
    for row in code:
        bits = explain(row.data)
        assert bits is not None
        fields = "".join(line.split()[0] for line in bits.splitlines()[1:])
        assert f"{int.from_bytes(row.data, 'little'):032b}" == fields
        assert esc(bits) in html


def test_a_file_map_covers_the_file_without_gap() -> None:
    for name in ("answer", "hello", "cat"):
        program = build(name)
        at = 0
        for region in filemap(program).regions:
            assert at == region.offset
            at += region.size
        assert len(program.data) == at


@pytest.mark.parametrize(("rows", "fold", "folded"), [
    (FOLD_ROWS, True, False), (FOLD_ROWS + 1, True, True), (FOLD_ROWS + 1, False, False)])
def test_only_a_long_listing_below_its_source_is_folded(
        rows: int, fold: bool, folded: bool) -> None:
    view = Listing([Row(n, b"\x01", ".byte 1") for n in range(rows)], title="many", fold=fold)
    assert folded == ("<details" in view.html())
    assert rows == view.html().count(".byte")
    assert rows + 1 == len(view.text().splitlines())


def test_the_cell_of_the_book_is_folded_and_a_changed_one_is_not() -> None:
    text = Module.read("lib/number").item("u64_parse").text
    assert BENCH.take_cell("lib/number", "u64_parse", text).fold
    assert not BENCH.take_cell("lib/number", "u64_parse", text.replace("#10", "#8")).fold
    BENCH.take_back()


def test_a_listing_of_a_program_is_its_code() -> None:
    program = build("hello")
    text = next(s for segment in program.image.segments for s in segment.sections
                if s.name == "__text")
    rows = [row for row in listing(program).rows
            if text.address <= row.address < text.address + text.size]
    assert text.data == b"".join(row.data for row in rows)


def test_encode_gives_the_bytes_and_points_at_a_mistake() -> None:
    assert bytes.fromhex("400580d2") == encode("mov x0, #42")
    with pytest.raises(KitError, match=r"cell:1:1: error: unknown mnemonic 'movv'"):
        encode("movv x0, #42")
    with pytest.raises(KitError, match="a card shows one instruction, this is 2"):
        card("nop\nnop")


def test_a_plan_is_read_and_a_wrong_one_refused() -> None:
    first, second = parse_plan(["write 2: EINTR", "read all: short 3"])
    assert ("write", 2, 4, None) == (first.call, first.nth, first.error, first.short)
    assert ("read", 0, None, 3) == (second.call, second.nth, second.error, second.short)
    own, = parse_plan("any 4 in child 2: EIO")
    assert (None, 4, 5, 3) == (own.call, own.nth, own.error, own.process)
    assert first.process is None
    for wrong in ("write", "write 1: ENOSUCH", "write 1: short", "write x: EINTR", "1: EIO",
                  "read 1 in child: EIO", "read 1 in child x: EIO"):
        with pytest.raises(KitError, match="is not a fault"):
            parse_plan(wrong)


def test_the_timeline_tells_what_was_made_to_happen() -> None:
    done = trace(build("hello"), plan="write 1: EINTR")
    assert [("EINTR (4)", True, True), ("13", False, False)] == [
        (c.result, c.failed, c.forced) for c in done.calls[:2]]
    assert b"hello, world\n" == done.output
    assert "made to happen" in done.text()
    assert "made to happen" in done.html()


def test_the_totals_of_a_timeline_are_those_of_the_log() -> None:
    done = trace(build("cat"), stdin=b"x" * 100_000)
    assert done.instructions == sum(c.instructions or 0 for c in done.calls)
    assert ["read", "write", "read", "write", "read", "exit"] == [
        re.match(r"\w+", c.text)[0] for c in done.calls]       # type: ignore[index]


def test_a_timeline_ends_in_lines_of_their_own() -> None:
    shown = Timeline([Call(1, "a", "0")], ending="ended\noutput: b'x'").html()
    assert 2 == shown.count("yk-note")


def test_lanes_are_processes_in_order() -> None:
    view = Timeline([Call(2, "b", "1"), Call(1, "a", "2"), Call(2, "c", "3")])
    assert [("process 1", ["a"]), ("process 2", ["b", "c"])] == [
        (name, [c.text for c in calls]) for name, calls in view.lanes()]
