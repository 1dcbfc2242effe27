"""The black-box cases that readers get: true of every program of the book, and not of others."""

from __future__ import annotations

import email.utils
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import pytest
from support.server import executable

from ymawky_kit import chapters, macho
from ymawky_kit.blackbox import (
    CASES,
    TREE,
    Case,
    Program,
    Result,
    Run,
    Talk,
    check_program,
    select,
)
from ymawky_kit.blackbox.case import Again, Expect, Matches, Recent, Want
from ymawky_kit.blackbox.reply import Broken, read_reply
from ymawky_kit.features import FEATURES
from ymawky_kit.paths import asm_root
from ymawky_kit.run import EmulatedRunner
from ymawky_kit.source import Source

PROGRAMS = chapters.load()


def tried(path: Path, cases: list[Case], *, once: bool = False, seconds: float = 20,
          strict: bool = False) -> list[Result]:
    with Program(path, EmulatedRunner(strict=strict, report=False), TREE) as program:
        return check_program(program, cases, once=once, seconds=seconds)


def failed(results: list[Result]) -> dict[str, list[str]]:
    return {r.case.name: r.record.faults for r in results if r.outcome != "passed"}


# --- every program passes its own cases ------------------------------------------------------

@pytest.mark.parametrize("name", PROGRAMS)
def test_a_program_passes_exactly_the_cases_its_features_allow(name: str, folder: Path) -> None:
    features = PROGRAMS[name].features
    cases = select(features)
    assert set(features) == {case.feature for case in cases}, "each feature has a case"
    results = tried(executable(name, folder), cases, once="once" in features, strict=True)
    assert {} == failed(results)
    assert cases == [result.case for result in results]


def test_every_case_has_a_name_of_its_own_a_feature_and_a_reason() -> None:
    names = [case.name for case in CASES]
    assert len(names) == len(set(names))
    assert set(FEATURES) == {case.feature for case in CASES}
    for case in CASES:
        assert case.why and not case.name.endswith("."), case.name
        assert set(case.files) <= set(TREE), case.name


def test_cases_are_picked_by_all_their_words() -> None:
    names = {case.name for case in select(PROGRAMS["request"].features, "HOST bad two")}
    assert {"two Hosts are bad, even the same", "two Hosts are bad, in whatever case"} == names
    assert [] == select(PROGRAMS["request"].features, "no such words")


# --- teeth: the program before a chapter fails ---------------------------------------------

#: Every feature that a program adds to the one it comes after.
ADDED = [(name, feature) for name, program in PROGRAMS.items() if program.after is not None
         for feature in program.features
         if feature not in PROGRAMS[program.after].features]


@pytest.mark.parametrize(("name", "feature"), ADDED)
def test_the_program_before_fails_at_what_is_new(name: str, feature: str, folder: Path) -> None:
    before = PROGRAMS[name].after
    assert before is not None
    # The slow ones are not needed here: a case that waits fails by not being answered.
    cases = [case for case in select([feature]) if not (isinstance(case, Talk) and any(
        isinstance(step, Again) for step in case.script))]
    results = tried(executable(before, folder), cases, once=before == "once", seconds=0.6)
    assert failed(results)
    if feature in ("children", "deadline", "total", "cat", "path", "files"):
        passed = {r.case.name for r in results if r.outcome == "passed"}
        assert len(passed) < len(results) / 2, passed


def test_no_sequential_server_passes_a_case_of_several_clients(folder: Path) -> None:
    cases = select(["children"], "waiting")
    assert 3 == len(cases)
    results = tried(executable("serial", folder), cases, seconds=0.6)
    assert {case.name for case in cases} == set(failed(results))


# --- teeth: small mistakes are found ---------------------------------------------------------

#: Program, module, what is replaced, by what, and a case that must notice.
MUTANTS = [
    ("answer", "first/answer", "#42", "#41", "the exit status is 42"),
    ("cat", "first/cat", "mov     x20, #1                 //", "mov     x20, #0     //",
     "a file that is not there is reported, and the others are copied"),
    ("total", "first/total", "b.cs    Lmain_large", "nop", "a sum beyond 64 bits is refused"),
    ("once", "serve/once", "carry_clear", "carry_set", "after one client it ends with status 0"),
    ("once", "stub/request_any", "add     x3, x3, #1\n", "add     x3, x3, #2\n",
     "whatever is asked, the answer is the greeting"),
    ("once", "stub/get_hello", "text/plain", "text/plaid", "the greeting is plain text"),
    ("serial", "main/main", "mov     x0, #SIGINT", "mov     x0, #SIGPIPE",
     "SIGINT ends it with status 0"),
    ("serial", "serve/serial", "bl      connection_end\n", "nop\n",
     "twenty clients are served, one after the other"),
    ("children", "serve/fork", "bl      connection_linger", "nop",
     "a refusal can be read while the client still sends"),
    ("children", "serve/fork", "b.hs    Lserve_run_count", "nop",
     "one client too many is told to come back"),
    ("children", "serve/fork", "mov     x21, x0", "nop",
     "when the crowd has gone, clients are served again"),
    ("children", "serve/refuse", "Retry-After: 5", "Retry-Later: 5",
     "one client too many is told to come back"),
    ("request", "http/request", "mov     x3, #REQUEST_LINE_MAX_BYTES",
     "mov     x3, #REQUEST_LINE_MAX_BYTES + 1", "a line of one byte more is refused"),
    ("request", "http/request", "mov     x4, #HEAD_MAX_BYTES",
     "mov     x4, #HEAD_MAX_BYTES - 1", "a head of 16,384 bytes is read"),
    ("request", "http/request", "b.ne    Lversion_parse_other", "nop",
     "HTTP/2.0 on the line is refused"),
    ("request", "http/request", "bl      request_peek            //", "nop  //",
     "a HEAD without an end is refused without a body"),
    ("request", "serve/connection", "cmp     w1, #METHOD_HEAD", "cmp     w1, #METHOD_TRACE",
     "HEAD is GET without the body"),
    ("request", "http/field", "tbnz    w3, #REQUEST_HAS_HOST, Lfield_host_twice", "nop",
     "two Hosts are bad, even the same"),
    ("request", "http/field", "tbnz    x0, #63, Lfield_length_bad", "nop",
     "a length of 64 bits is too large"),
    ("request", "http/page", "b.eq    Lpage_plan_allow", "nop", "PUT is known and not allowed"),
    ("request", "guard/timer", "mov     x1, #1\n", "mov     x1, #1\n    ret\n",
     "who does not finish is told so; who never began is not"),
    ("path", "fs/path", "b.eq    Lpath_resolve_missing\n    cmp     w0, #' '",
     "nop\n    cmp     w0, #' '", "/sub%2Fpage.html is refused"),
    ("path", "fs/path", "b.lo    Lpath_resolve_bad       // a control", "nop    // a control",
     "/%00 is refused"),
    ("path", "fs/path", "cmp     w2, #'~'\n    b.eq    Lsegment_judge_refuse",
     "cmp     w2, #'~'\n    nop", "/.~half is refused"),
    ("file", "http/redirect", "ldr     x2, [x19, #CONN_REQUEST + REQUEST_QUERY_LEN]",
     "mov     x2, #0", "/sub?x=1&y moves to /sub/?x=1&y"),
    ("file", "http/reply", "csel    x1, x5, x6, lo", "mov     x1, x5",
     "a file from the future was modified now"),
    ("file", "fs/file", "cbnz    w1, Lget_plan_directory", "nop", "/1k.bin/ is not there"),
    ("fork", "fs/page", "b.ne    Lpage_open_drop", "nop", "a folder is no page"),
    ("ranges", "http/range", "cinc    x2, x1, lo", "mov     x2, x1", "bytes=0-9 is 10 of 1024"),
    ("ranges", "http/range", "cmp     x1, x7\n    b.lo    Lrange_spec_bad", "cmp     x1, x7",
     "'Range: bytes=9-0' is no range"),
    ("ranges", "http/range", "cbnz    x5, Lposition_take_large", "nop",
     "bytes=7-18446744073709551625 is 1017 of 1024"),
    ("ranges", "http/range", "cmp     w1, #METHOD_GET", "cmp     w1, w1", "HEAD has no ranges"),
    ("ranges", "http/range", "bl      range_current\n    b.cs    Lrange_judge_whole",
     "bl      range_current", "a tag that is not the file's gets the file"),
    ("ranges", "http/range", "cmp     x23, #PARTS_MAX", "cmp     x23, #PARTS_MAX * 100",
     "who asks for a thousand ranges gets the file"),
    ("ranges", "http/multipart", "csel    x1, x6, x1, lo", "csel    x1, x6, x1, hi",
     "bytes=10-19,0-9 is 20 of 1024"),
    ("ranges", "http/multipart", "cbnz    x8, Lparts_add_next", "nop",
     "bytes=0-9,1000-1009,5-1015 is 1016 of 1024"),
    ("ranges", "http/multipart", "#MULTIPART_LAST_BYTES", "#MULTIPART_LAST_BYTES + 1",
     "several parts come with their places"),
    ("ranges", "http/head", "b.cc    Lhead_alone_twice", "nop", "two Ranges are none"),
    ("ranges", "http/condition", "mov     x0, #304", "mov     x0, #200",
     "who has whatever there is need not get it again"),
    ("ranges", "http/condition", "b.le    Lcondition_since_return",
     "b.lt    Lcondition_since_return",
     "a file that has not changed since is sent"),
    ("ranges", "http/condition",
     "b.cs    Lcondition_check_failed\n    b       Lcondition_check_none", "nop",
     "If-Match comes first"),
    ("ranges", "lib/date_parse", "b.eq    Ldate_join_century", "nop",
     "two digits are a year of our time"),
    ("ranges", "lib/date_parse", "mov     w4, #'d'", "nop",
     "not modified since Sun Nov  6 08:49:37 1994"),
    ("listings", "fs/directory", "cmp     w7, #'~'", "cmp     w7, #'!'",
     "what is still being written is not in a list"),
    ("listings", "fs/directory", "cmp     w4, #1\n    b.hi", "cmp     w4, #9\n    b.hi",
     "a symbolic link is not in a list"),
    ("listings", "fs/listing", "cbnz    w2, Llisting_open_refused", "nop",
     "a folder is not shown when nothing is to be"),
    ("listings", "fs/listing", "cbz     w3, Llisting_fill_body", "nop",
     "HTTP/1.0 knows no chunks"),
    ("listings", "http/chunk", "str     w1, [x0], #4", "str     w1, [x0]",
     "a list has no length, so it comes in chunks"),
    ("listings", "http/escape", "tbz     w3, #ESCAPE_TEXT, Lhtml", "tbz     w3, #7, Lhtml",
     "a name stays text, whatever is in it"),
    ("writing", "fs/write", "cbz     w1, Lput_plan_shut", "nop",
     "without --writable nothing can be changed"),
    ("writing", "fs/upload", "b.ne    Lupload_over_special", "nop",
     "a symbolic link is not written over"),
    ("writing", "fs/upload", "b.cs    Lupload_open_failed", "b.cc    Lupload_open_failed",
     "what is put there can be had, and deleted"),
    ("writing", "fs/upload", "cbnz    w2, Lupload_reply_begin", "nop",
     "a new version takes the place of the old one"),
    ("writing", "fs/upload", "b.cc    Lupload_fields_part", "nop", "a part of a file is refused"),
    ("writing", "fs/upload", "b.hi    Lupload_length_large", "nop",
     "a body that is too large is refused"),
    ("writing", "http/body", "b.hi    Lchunk_open_large", "nop",
     "chunks that become too many are refused"),
    ("writing", "http/body", "cbnz    x6, Lchunk_size_large", "nop",
     "a chunk of 64 bits and more is not a small one"),
    ("writing", "http/body", "    cmp     w1, w3\n    b.ne    Lchunk_take_bad", "    nop\n    nop",
     "chunks that are longer than they say are refused"),
    ("writing", "serve/body", "cbnz    w0, Lbody_read_greet", "nop",
     "who waits for a word gets one, and then sends"),
    ("writing", "serve/body", "cbz     x0, Lbody_read_end", "cbz     x0, Lbody_read_return",
     "a body that ends half-way changes nothing"),
    ("writing", "fs/remove", "b.eq    Lremove_file_directory", "nop",
     "a directory is not deleted"),
    ("writing", "fs/remove", "cbnz    w2, Lremove_file_missing", "nop",
     "a file is not deleted by a name with a slash"),
]


@pytest.mark.parametrize(("name", "module", "old", "new", "noticed"), MUTANTS,
                         ids=[f"{m[0]}-{m[4]}" for m in MUTANTS])
def test_a_small_mistake_is_noticed(
    name: str, module: str, old: str, new: str, noticed: str, tmp_path: Path
) -> None:
    program = PROGRAMS[name]
    text = program.path(module, asm_root()).read_text()
    assert old in text
    built = chapters.build(name, overrides={module: Source(module, text.replace(old, new, 1))})
    path = tmp_path / name
    macho.install(built.data, path)
    (case,) = (case for case in select(program.features) if case.name == noticed)
    assert noticed in failed(tried(path, [case], once=name == "once", seconds=2))


# --- teeth: every demand of every case ------------------------------------------------------

def wants() -> Iterator[tuple[str, Want]]:
    for case in CASES:
        if isinstance(case, Talk):
            for step in case.script:
                if isinstance(step, Expect | Again):
                    yield case.name, step.want


SAMPLES = {"a number": b"7", "a number above 0": b"7", "a time": b"now GMT",
           "a kind of text": b"text/plain", "GET, HEAD and OPTIONS in it": b"OPTIONS, GET, HEAD",
           "a strong tag in quotes": b'"tag"',
           "multipart/byteranges": b"multipart/byteranges; boundary=b",
           "HTML in UTF-8": b"text/html; charset=utf-8"}


def value(wanted: object) -> bytes:
    if isinstance(wanted, str):
        return wanted.encode()
    if isinstance(wanted, Recent):
        return email.utils.formatdate(usegmt=True).encode()
    assert isinstance(wanted, Matches)
    return SAMPLES[wanted.words]


def good(want: Want, *, status: int | None = None, body: bytes | None = None,
         without: str = "") -> bytes:
    """A reply as wanted, but for what is said."""
    if body is None:
        body = want.body if want.body is not None else b"".join(want.holds)
    fields = {name: value(wanted) for name, wanted in want.fields.items() if name != without}
    length = fields.pop("Content-Length", None)
    chunked = "Transfer-Encoding" in fields
    if length is None or not want.head_only:
        length = str(len(body)).encode()
    lines = [b"HTTP/1.1 %d x" % (want.status[0] if status is None else status)]
    lines += [name.encode() + b": " + text for name, text in fields.items()]
    if chunked and body:
        body = b"%x\r\n%b\r\n0\r\n\r\n" % (len(body), body)
    elif chunked:
        body = b"0\r\n\r\n"
    elif "Content-Length" not in (without, *want.absent):
        lines.append(b"Content-Length: " + length)
    return want.interim + b"\r\n".join(lines) + b"\r\n\r\n" + (b"" if want.head_only else body)


def test_every_demand_of_every_case_is_made() -> None:
    count = 0
    for name, want in wants():
        if not want.status:
            assert [] == want.faults(b"")
            assert want.faults(b"HTTP/1.1 200 OK\r\n\r\n"), name
            continue
        assert [] == want.faults(good(want)), name
        assert want.faults(b""), name
        assert want.faults(good(want)[:-1]), name
        assert want.faults(good(want) + b"x"), name
        assert want.faults(good(want, status=299)), name
        assert bool(want.faults(good(want), reset=True)) != want.may_reset, name
        for field in want.fields:
            assert want.faults(good(want, without=field)), (name, field)
        for field in want.absent:
            extra = good(want).replace(b"\r\n\r\n", f"\r\n{field}: x\r\n\r\n".encode(), 1)
            assert want.faults(extra), (name, field)
        if want.body is not None:
            other = b"x" if not want.body else want.body[:-1] + b"\xfe"
            assert want.faults(good(want, body=other)), name
        if want.holds:
            assert want.faults(good(want, body=b"nothing of it")), name
        if want.interim:
            assert want.faults(good(replace(want, interim=b""))), name
        for word in want.never:
            assert want.faults(good(replace(want, never=()), body=b"oh " + word)), name
        count += 1
    assert count > 250


@pytest.mark.parametrize("case", [case for case in CASES if isinstance(case, Run)],
                         ids=lambda case: case.name)
def test_a_run_demands_status_output_and_errors(case: Run) -> None:
    assert case.output or case.status
    assert case.errors or not case.status or case.feature == "answer"


# --- the reader of replies --------------------------------------------------------------------

CHUNKED = b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n"


@pytest.mark.parametrize(("raw", "said"), [
    (b"", "never ends"),
    (b"HTTP/1.1 200 OK\r\n", "never ends"),
    (b"HTTP/1.1 200 OK\n\n", "never ends"),
    (b"HTTP/1.1 200\r\n\r\n", "no status line"),
    (b"HTTP/2.0 200 OK\r\n\r\n", "no status line"),
    (b"HTTP/1.1 20 OK\r\n\r\n", "no status line"),
    (b"HTTP/1.1 200 O\0K\r\n\r\n", "no status line"),
    (b"\r\nHTTP/1.1 200 OK\r\n\r\n", "no status line"),
    (b"HTTP/1.1 200 OK\r\nX : y\r\n\r\n", "no field line"),
    (b"HTTP/1.1 200 OK\r\nX\r\n\r\n", "no field line"),
    (b"HTTP/1.1 200 OK\r\nX: a\nb\r\n\r\n", "no field line"),
    (b"HTTP/1.1 200 OK\r\nX: a\r\nx: b\r\n\r\n", "twice"),
    (b"HTTP/1.1 200 OK\r\nContent-Length: 5\r\n\r\nabc", "ends after 3 of 5 bytes"),
    (b"HTTP/1.1 200 OK\r\nContent-Length: 1\r\n\r\nabc", "2 bytes behind the body"),
    (b"HTTP/1.1 200 OK\r\nContent-Length: +1\r\n\r\na", "no number"),
    (b"HTTP/1.1 200 OK\r\nTransfer-Encoding: gzip\r\n\r\n0\r\n\r\n", "not 'chunked'"),
    (b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\nContent-Length: 0\r\n\r\n0\r\n\r\n",
     "a Content-Length, and"),
    (CHUNKED + b"", "no length of a chunk"),
    (CHUNKED + b"x\r\n\r\n", "no length of a chunk"),
    (CHUNKED + b"-1\r\na\r\n0\r\n\r\n", "no length of a chunk"),
    (CHUNKED + b"1\na\n0\n\n", "no length of a chunk"),
    (CHUNKED + b"5\r\nabc", "ends in a chunk of 5 bytes"),
    (CHUNKED + b"1\r\nab\r\n0\r\n\r\n", "does not end with CR LF"),
    (CHUNKED + b"1\r\na\r\n", "behind 1 byte of the body there is no length"),
    (CHUNKED + b"1\r\na\r\n0\r\n", "ends in a chunk of 0 bytes"),
    (CHUNKED + b"0\r\n\r\nmore", "4 bytes behind the last chunk"),
    (b"HTTP/1.1 204 No\r\n\r\nabc", "has no body"),
])
def test_what_is_no_whole_reply_is_named(raw: bytes, said: str) -> None:
    with pytest.raises(Broken, match=said.replace("+", r"\+")):
        read_reply(raw)


def test_a_reply_is_read() -> None:
    reply = read_reply(b"HTTP/1.0 404 Not Found\r\nX-Y:\t a b \r\nContent-Length: 2\r\n\r\nhi")
    assert (404, b"Not Found", {b"x-y": b"a b", b"content-length": b"2"}, b"hi") == (
        reply.status, reply.reason, reply.fields, reply.body)
    assert b"abc" == read_reply(CHUNKED + b"2;x=y\r\nab\r\n01\r\nc\r\n000\r\n\r\n").body
    assert b"" == read_reply(CHUNKED + b"0\r\n\r\n").body
    assert b"" == read_reply(CHUNKED, head_only=True).body
    assert b"to the end" == read_reply(b"HTTP/1.1 200 \r\n\r\nto the end").body
    assert b"" == read_reply(b"HTTP/1.1 200 \r\nContent-Length: 9\r\n\r\n", head_only=True).body


@pytest.mark.parametrize("text", [
    b"Sun, 06 Nov 1994 08:49:37 GMT", b"yesterday", b"", b"2026-01-01T00:00:00Z",
])
def test_an_old_or_strange_date_is_not_now(text: bytes) -> None:
    assert not Recent()(text)
