"""fs/listing and http/index: the page of a folder, without a network."""

from __future__ import annotations

import html
import os
import re
from html.parser import HTMLParser
from pathlib import Path
from urllib.parse import unquote_to_bytes

import psutil
import pytest
from hypothesis import given
from hypothesis import strategies as st
from support.contract import Asm
from support.drivers.listings import (
    LISTING,
    RECORD,
    Listing,
    fill,
    opened,
    prepared,
    record,
    records,
    row_of,
)
from support.layout import Connection, constants
from support.server import parse

from ymawky_kit.darwin.errno import EACCES, EIO, EMFILE, ENOENT, ENOMEM
from ymawky_kit.emu.plan import Fault, FaultPlan

PROGRAM = "listings"
VREG, VDIR = constants("abi.inc")["VREG"], constants("abi.inc")["VDIR"]
MiB = 1 << 20
ROW = re.compile(rb'<tr><td><a href="([^"]*)">([^<]*)</a><td>([^<]*)<td>([^<]*)\n')


def page(asm: Asm, conn: Connection) -> tuple[bytes, list[int]]:
    """The whole reply as it would be sent, and the sizes of its segments."""
    sent, sizes = conn.head, []
    while True:
        sent += conn.body
        sizes.append(len(conn.body))
        if not conn.reply["REPLY_NEXT"]:
            return sent, sizes
        assert not asm.call("reply_next", conn.address).carry


def planned(asm: Asm, folder: Path, path: bytes = b"", version: int = 1) -> Connection:
    conn = Connection(asm)
    conn["CONN_NOW"] = 784111777
    conn.request["REQUEST_VERSION"] = version
    conn.set_path(path, slash=True)
    with opened(asm, folder):
        assert not asm.call("listing_plan", conn.address).carry
    return conn


def shown(body: bytes) -> list[tuple[bytes, bytes, bytes, bytes]]:
    return ROW.findall(body.partition(b"<tbody>\n")[2])


def test_a_page_for_1_1_comes_in_chunks(asm: Asm, tmp_path: Path) -> None:
    conn = planned(asm, fill(tmp_path))
    sent, _ = page(asm, conn)
    reply = parse(sent)
    assert (200, b"chunked") == (reply.status, reply.headers[b"transfer-encoding"])
    assert b"content-length" not in reply.headers
    assert [(b"sub/", b"sub/"), (b"a%26b.txt", b"a&#38;b.txt"), (b"b.txt", b"b.txt")] == [
        row[:2] for row in shown(reply.body)]
    assert [b"", b"7 B", b"5 B"] == [row[2] for row in shown(reply.body)]


def test_a_page_for_1_0_ends_with_the_connection(asm: Asm, tmp_path: Path) -> None:
    conn = planned(asm, fill(tmp_path), version=0)
    sent, _ = page(asm, conn)
    reply = parse(sent)
    assert not {b"transfer-encoding", b"content-length"} & set(reply.headers)
    assert reply.body.endswith(b"</table>\n")
    assert parse(page(asm, planned(asm, tmp_path))[0]).body == reply.body


def test_only_below_the_root_there_is_a_parent(asm: Asm, tmp_path: Path) -> None:
    (tmp_path / "a<b/c").mkdir(parents=True)
    root = parse(page(asm, planned(asm, tmp_path))[0]).body
    below = parse(page(asm, planned(asm, tmp_path, b"a<b"))[0]).body
    assert [b"a%3Cb/"] == [row[0] for row in shown(root)]
    assert [b"../", b"c/"] == [row[0] for row in shown(below)]
    assert b"<title>Index of /</title>" in root
    assert b"<title>Index of /a&#60;b/</title>" in below
    assert b"<h1>Index of /a&#60;b/</h1>" in below


@pytest.mark.parametrize("count", [0, 1, 500, 3000])
@pytest.mark.parametrize("version", [0, 1])
def test_however_many_there_are_each_is_there_once(
    asm: Asm, tmp_path: Path, count: int, version: int
) -> None:
    names = [f"{n * 7919 % 10007:05}<&>" for n in range(count)]
    fill(tmp_path, names)
    sent, sizes = page(asm, planned(asm, tmp_path, version=version))
    body = parse(sent).body
    assert sorted(names) == [html.unescape(row[1].decode()) for row in shown(body)]
    assert sorted(names) == [unquote_to_bytes(row[0]).decode() for row in shown(body)]
    assert all(size <= LISTING["LISTING_OUT_SIZE"] for size in sizes)
    assert (count > 700) == (len(sizes) > 1)


def test_the_longest_names_there_can_be_fit(asm: Asm, tmp_path: Path) -> None:
    """Five bytes of text and three of link for each byte of a name, and a path of them."""
    conn, listing = prepared(asm, tmp_path)
    conn.reply["REPLY_STATE"] = listing.address
    path = constants("conn.inc")["CONN_PATH_SIZE"] - constants("conn.inc")["CONN_PATH_SPARE"] - 2
    conn.set_path(b"<" * path)
    row = row_of(asm, record(b"&" * (RECORD["RECORD_NAME_MAX"] - 1), VDIR, 0, 2**62))
    # Forty of the same name do not fit in one part; none may reach behind it.
    copies = asm.alloc(asm.peek(row, 32) * 40)
    listing["LISTING_NEXT"], listing["LISTING_END"] = copies, copies + 40 * 32
    guard = listing.address + LISTING["LISTING_RECORDS"]
    asm.poke(guard, b"\xa5" * 64)
    asm.call("listing_begin", conn.address, listing.address)
    sent, sizes = page(asm, conn)
    assert b"\xa5" * 64 == asm.peek(guard, 64)
    assert len(sizes) > 5
    assert 40 + 1 == len(shown(parse(sent).body))


class Seen(HTMLParser):
    """The tags of a page, and its links with their texts."""

    def __init__(self, body: bytes) -> None:
        super().__init__(convert_charrefs=True)
        self.tags: list[tuple[str, tuple[str, ...]]] = []
        self.links: list[tuple[str, str]] = []
        self._open = False
        self.feed(body.decode("utf-8", "strict"))
        self.close()

    def handle_starttag(self, tag: str, attributes: list[tuple[str, str | None]]) -> None:
        self.tags.append((tag, tuple(name for name, _ in attributes)))
        if tag == "a":
            self.links.append((attributes[0][1] or "", ""))
            self._open = True

    def handle_endtag(self, tag: str) -> None:
        self._open = self._open and tag != "a"

    def handle_data(self, data: str) -> None:
        if self._open:
            self.links[-1] = (self.links[-1][0], self.links[-1][1] + data)

    def handle_comment(self, data: str) -> None:
        raise AssertionError(data)

    unknown_decl = handle_pi = handle_comment


NAMES = st.binary(min_size=1, max_size=40).map(lambda name: re.sub(rb"[\0/]", b"<", name))
ATTACKS = st.sampled_from([
    b'"><script>x</script', b"'><b>", b"<!--", b"-->", b"</table>", b"</a>", b"<![CDATA[", b"<?x",
    b"&quot;", b"&#34", b"\xff<", b"\xe2\x80", b"</style>", b"</title>", b"javascript:x", b"//x.y",
]).map(lambda name: name.replace(b"/", b"\xc2\xaf"))


@given(st.lists(st.tuples(NAMES | ATTACKS, st.booleans()), unique_by=lambda one: one[0],
                max_size=12), NAMES | ATTACKS)
def test_no_name_becomes_a_part_of_the_page(asm: Asm, entries, path: bytes) -> None:
    """It has the tags it should have, and its links lead to the names, no more and no less."""
    asm.reset()
    conn, listing = Connection(asm), Listing(asm)
    conn.set_path(path)
    conn.reply["REPLY_STATE"] = listing.address
    at, end = records(asm, *(record(name, VDIR if folder else VREG) for name, folder in entries))
    place = asm.alloc(32 * len(entries))
    listing["LISTING_NEXT"] = place
    listing["LISTING_END"] = asm.call("rows_make", at, end, place, 0)["x2"]
    asm.call("listing_begin", conn.address, listing.address)
    seen = Seen(conn.body)
    shown = [(name, folder) for name, folder in entries
             if not name.startswith((b".~", b"..")) and not re.search(rb"[\x01-\x1f\x7f]", name)]
    slash = [b"/" * folder for _, folder in shown]
    assert [b"../", *(name + end for (name, _), end in zip(shown, slash, strict=True))] == [
        unquote_to_bytes(link) for link, _ in seen.links]
    assert all(text.rstrip("/") for _, text in seen.links)
    row = [("tr", ()), ("td", ()), ("a", ("href",)), ("td", ()), ("td", ())]
    column = ("th", ("scope",))
    assert [
        ("html", ("lang",)), ("meta", ("charset",)), ("meta", ("name", "content")), ("title", ()),
        ("style", ()), ("h1", ()), ("table", ()), ("thead", ()), ("tr", ()), column, column, column,
        ("tbody", ()), *row * (1 + len(shown)),
    ] == seen.tags


def test_a_name_with_a_control_character_has_no_row(asm: Asm) -> None:
    """It could not be asked for: path_resolve takes none."""
    for name in (b"a\nb", b"\x7f", b"\x01"):
        at = asm.alloc(200)
        assert at == asm.call("listing_row", at, row_of(asm, record(name))).value


def test_a_partial_listing_says_so(asm: Asm, tmp_path: Path) -> None:
    for partial in (0, 1):
        conn, listing = prepared(asm, tmp_path)
        listing["LISTING_PARTIAL"] = partial
        asm.call("listing_begin", conn.address, listing.address)
        assert bool(partial) == (b"There is more here" in page(asm, conn)[0])


def what_is_held(asm: Asm) -> tuple[set[str], int]:
    """Descriptors of this process, and how much memory the program has mapped."""
    mapped = sum(r.end - r.start for r in asm.machine.memory.regions if r.name == "mmap")
    return {entry.name for entry in Path("/proc/self/fd").iterdir()}, mapped


def plan_and_end(asm: Asm, path: bytes) -> tuple[int, int]:
    """listing_plan, then connection_end: the status, and how many calls there were."""
    conn = Connection(asm)
    conn.set_path(path, slash=True)
    done = asm.call("listing_plan", conn.address)
    calls = done.syscalls
    if done.carry:
        assert (0, 0, 0, -1) == tuple(conn.reply[f"REPLY_{field}"] for field in
                                      ("NEXT", "FREE", "STATE", "FD"))
    asm.call("connection_end", conn.address)
    return done.value if done.carry else 200, calls


ERRORS = {EIO: 500, EACCES: 403, ENOENT: 404, EMFILE: 503, ENOMEM: 503}


@pytest.mark.parametrize("error", ERRORS)
def test_every_call_may_fail_and_nothing_is_left(asm: Asm, tmp_path: Path, error: int) -> None:
    fill(tmp_path)
    with opened(asm, tmp_path):
        before = what_is_held(asm)
        done = asm.call("listing_plan", (conn := Connection(asm)).address)
        assert not done.carry
        assert LISTING["LISTING_SIZEOF"] == what_is_held(asm)[1] - before[1]
        asm.call("connection_end", conn.address)
        assert (200, 5) == plan_and_end(asm, b"")
        assert before == what_is_held(asm)
        for call, number in (("openat", 1), ("mmap", 1), ("getattrlistbulk", 1),
                             ("getattrlistbulk", 2)):
            with asm.plan(FaultPlan([Fault(call, number, error=error)])):
                assert ERRORS[error] == plan_and_end(asm, b"")[0], (call, number)
            assert before == what_is_held(asm), (call, number)
        with asm.plan(FaultPlan([Fault("close", 1, error=error)])):
            assert 200 == plan_and_end(asm, b"")[0]


def test_a_folder_that_is_not_to_be_shown_is_403_and_a_missing_one_404(
    asm: Asm, tmp_path: Path
) -> None:
    (tmp_path / "d").mkdir()
    (tmp_path / "f").write_bytes(b"")
    (tmp_path / "link").symlink_to("d")
    for listings in (True, False):
        with opened(asm, tmp_path, listings=listings):
            before = what_is_held(asm)
            got = {path: plan_and_end(asm, path)[0] for path in (b"", b"d", b"gone", b"f", b"link")}
            assert before == what_is_held(asm)
        seen = 200 if listings else 403
        assert {b"": seen, b"d": seen, b"gone": 404, b"f": 404, b"link": 403} == got


def test_the_root_is_opened_anew_each_time(asm: Asm, tmp_path: Path) -> None:
    """The place in a directory belongs to the descriptor, which all children share."""
    fill(tmp_path)
    with opened(asm, tmp_path) as fd:
        for _ in range(3):
            conn = Connection(asm)
            assert not asm.call("listing_plan", conn.address).carry
            assert 3 == len(shown(page(asm, conn)[0]))
        assert 0 == os.lseek(fd, 0, os.SEEK_CUR)


def test_ten_thousand_entries_stay_within_their_memory_and_time(asm: Asm, tmp_path: Path) -> None:
    """Instructions for each entry grow with the rounds of the sorter, by a few for each."""
    costs = {}
    for count in (100, 10_000):
        folder = tmp_path / str(count)
        folder.mkdir()
        for n in range(count):
            os.close(os.open(folder / f"entry-{n * 7919 % 10007:05}.txt", os.O_CREAT, 0o644))
        before = psutil.Process().memory_info().rss
        conn = Connection(asm)
        conn.request["REQUEST_VERSION"] = 1
        conn["CONN_NOW"] = 784111777
        with opened(asm, folder):
            done = asm.call("listing_plan", conn.address)
        cost = done.instructions
        while conn.reply["REPLY_NEXT"]:
            cost += asm.call("reply_next", conn.address).instructions
        costs[count] = cost / count
        asm.call("connection_end", conn.address)
        assert psutil.Process().memory_info().rss - before < 40 * MiB
    assert costs[10_000] - costs[100] < 15 * 7 + 10, costs
