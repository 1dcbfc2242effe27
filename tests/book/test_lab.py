"""What the cells of a notebook call: results, errors in one sentence, nothing left behind."""

from __future__ import annotations

import os
import random
from collections.abc import Iterator
from pathlib import Path

import pytest

from ymawky_kit.lab.drive import Argument, call, fill, step, trace
from ymawky_kit.lab.look import build, edit, undo
from ymawky_kit.lab.magics import BENCH, reset_server, run_cell
from ymawky_kit.lab.play import run, serve
from ymawky_kit.lab.snippets import Module
from ymawky_kit.lab.watching import watch
from ymawky_kit.source import KitError


@pytest.fixture(autouse=True)
def clean_bench() -> Iterator[None]:
    BENCH.free.clear()
    BENCH.changed.clear()
    yield
    BENCH.free.clear()
    BENCH.changed.clear()


def descriptors() -> int:
    folder = "/proc/self/fd" if Path("/proc/self/fd").is_dir() else "/dev/fd"
    return len(list(Path(folder).iterdir()))


# -- calling -------------------------------------------------------------------------------

def test_a_function_of_the_book_is_called_with_numbers_and_bytes() -> None:
    done = call("fd_write_all", 1, b"hello", 5)
    assert (0, False, b"hello", b"") == (done.value, done.carry, done.output, done.errors)
    assert 1 == len(done.calls)


def test_registers_before_and_after_say_what_is_the_same() -> None:
    run_cell("f", "func f\n    mov x1, x0\n    ret\n")
    shown = call("f", 7).kept("x0", "x1", "x19").text()
    assert "f(7)" == shown.splitlines()[0]
    lines = [line.split() for line in shown.splitlines()[1:]]
    assert ["x0", "7", "(the", "same)"] == lines[0]
    assert ["x1", "->", "7"] == [lines[1][0], lines[1][2], lines[1][3]]
    assert ["(the", "same)"] == lines[2][-2:]


def test_a_buffer_comes_back_as_the_function_left_it() -> None:
    buffer = bytearray(8)
    done = call("fd_read_some", 0, buffer, 8, stdin=b"abcde")
    assert (5, bytearray(b"abcde\0\0\0")) == (done.value, buffer)


def test_text_gets_the_nul_that_functions_look_for() -> None:
    assert 5 == call("text_length", "hello").value


def test_reading_past_the_end_of_a_buffer_is_caught() -> None:
    run_cell("peek", "func peek\n    ldrb w0, [x0, #3]\n    ret\n")
    assert 3 == call("peek", b"\0\1\2\3").value
    with pytest.raises(KitError, match=r"peek\(b'abc'\) did not return: .*peek"):
        call("peek", b"abc")


def test_a_loop_without_end_is_stopped_at_the_limit() -> None:
    run_cell("spin", "func spin\n    b spin\n")
    with pytest.raises(KitError, match="10,000 instructions had run"):
        call("spin", limit=10_000)


def test_a_recording_stops_at_its_limit_and_says_so() -> None:
    run_cell("spin", "func spin\n    b spin\n")
    recorded = step("spin", limit=50)
    assert 50 == len(recorded.steps)
    assert "Only the first 50 steps" in recorded.ending


def test_a_recording_shows_memory_up_to_a_struct_request() -> None:
    recorded = step("text_word", bytearray(96), bytearray(97))
    assert [("x0", 96)] == [(name, len(data)) for name, _, data in recorded.memory]


def test_the_stack_begins_at_the_same_place_every_time() -> None:
    """Among the strings above it are random numbers: their lengths must not vary."""
    for length in range(1, 17):     # sp is rounded: some length is always at the edge
        name = "f" * length
        run_cell(name, f"func {name}\n    mov x0, sp\n    ret\n")
        assert 1 == len({call(name).value for _ in range(12)})


def test_a_function_that_opens_a_file_can_read_and_close_it() -> None:
    called = call("cat_file", "poem.txt", files={"poem.txt": b"Roses are red\n"})
    assert (b"Roses are red\n", b"", 0) == (called.output, called.errors, called.value)


def test_a_recording_and_a_call_agree() -> None:
    recorded = step("fd_write_all", 1, b"hello, world", 12, plan="write 1: short 4")
    done = call("fd_write_all", 1, b"hello, world", 12, plan="write 1: short 4")
    assert done.instructions == len(recorded.steps)
    last = recorded.state(len(recorded.steps))
    assert done.value == last["x0"]
    assert done.registers["x2"] == last["x2"]


def test_a_function_of_the_server_brings_the_modules_and_data_it_needs() -> None:
    head = b"GET /a HTTP/1.1\r\nHost: a\r\n\r\n"
    assert len(head) == call("request_parse", bytearray(96), head, len(head)).value
    assert 2 == call("path_resolve", b"/a%62", 5, bytearray(32), 32).value
    assert 404 == call("file_look", bytearray(32768)).value
    run_cell("mine", "func mine\n    b path_resolve\n")
    assert 2 == call("mine", b"/a%62", 5, bytearray(32), 32).value


def test_a_slot_is_filled_by_the_first_program_that_holds_the_function() -> None:
    """Not by that of a later chapter: the call counts are those of the chapter."""
    asked = call("page_plan", bytearray(32768), 404)
    assert () == asked.calls                                # stub/page_none
    assert "fs/page" not in {made.name for made in BENCH.build_around("page_plan").objects}


def test_an_unknown_name_is_told_with_the_nearest() -> None:
    with pytest.raises(KitError, match="did you mean 'fd_write'"):
        call("fd_wirte", 1)
    with pytest.raises(KitError, match="did you mean 'hello'"):
        build("helo")


def test_an_argument_that_is_neither_number_nor_bytes_is_refused() -> None:
    with pytest.raises(KitError, match="takes numbers, bytes and text, not float"):
        call("text_length", 1.5)    # type: ignore[arg-type]


# -- whole programs ------------------------------------------------------------------------

def test_a_program_runs_with_arguments_input_and_files() -> None:
    cat = build("cat")
    done = run(cat, "a/b", "-", files={"a/b": b"\xff\n"})
    assert b"\xff\n" == done.output
    assert 1 == done.status, "there is no file called -"
    assert b"typed" == run(cat, stdin=b"typed").output


def test_standard_input_is_read_in_whole_buffers_however_busy_the_machine_is() -> None:
    """A pipe would hand out what has just arrived, and no two runs would be the same."""
    done = trace(build("cat"), stdin=b"x" * 1_000_000)
    sizes = [call.result for call in done.calls if call.text.startswith("read(")]
    assert ["65536"] * 15 + ["16960", "0"] == [str(size) for size in sizes]


def test_run_and_trace_see_the_same_program() -> None:
    cat = build("cat")
    files = {"x": b"1", "y": b"22"}
    seen, traced = run(cat, "x", "y", files=files), trace(cat, "x", "y", files=files)
    assert seen.output == traced.output
    assert "exit 0" == traced.status


def test_a_file_that_the_system_refuses_is_killed_and_not_reported_by_us() -> None:
    data = bytearray(build("hello").data)
    data[0x1000] ^= 1
    done = run(bytes(data))
    assert (-9, b"", b"") == (done.status, done.output, done.errors)


def test_what_varies_from_machine_to_machine_is_not_shown() -> None:
    """The same calls from two temporary folders whose names differ in length."""
    import tempfile

    shown = []
    old = tempfile.tempdir
    with tempfile.TemporaryDirectory() as folder:
        for name in ("t", "temporary-and-much-longer"):
            place = Path(folder) / name
            place.mkdir()
            tempfile.tempdir = str(place)
            try:
                cat = build("cat")
                shown.append([
                    trace(cat, "f", "g", files={"f": b"1"}).text(),
                    run(cat, "f", "g", files={"f": b"1"}).text(),
                    watch({"index.html": b"x"}).text(),
                    call("fd_write", 1, b"x", 1).text(),
                ])
            finally:
                tempfile.tempdir = old
    assert shown[0] == shown[1]


def test_a_program_may_be_moved_by_whole_pages_only() -> None:
    hello = build("hello")
    assert b"hello, world\n" == trace(hello, slide=16384 * 7).output
    for slide in (1, 4096, -16384):
        with pytest.raises(KitError, match="cannot be moved"):
            trace(hello, slide=slide)


def test_nothing_is_left_open() -> None:
    run_cell("nothing", "func nothing\n    ret\n")
    build("hello")

    def everything() -> None:
        call("nothing")
        call("fd_write_all", 1, b"x", 1, plan="write 1: EIO")
        call("fd_close", 0)
        step("fd_close", 1)
        trace(build("hello"))
        run(build("hello"))
        with serve({"index.html": b"x"}) as site:
            site.get("/")

    everything()
    before = descriptors()
    for _ in range(3):
        everything()
    assert before == descriptors()


def test_closing_the_standard_streams_does_not_touch_ours() -> None:
    before = os.fstat(0), os.fstat(1), os.fstat(2)
    for number in range(3):
        assert 0 == call("fd_close", number).value
    assert [(s.st_dev, s.st_ino) for s in before] == [
        (s.st_dev, s.st_ino) for s in (os.fstat(0), os.fstat(1), os.fstat(2))]


# -- editing -------------------------------------------------------------------------------

def test_an_edit_must_name_its_place() -> None:
    with pytest.raises(KitError, match="holds that text 0 times"):
        edit("first/answer", "start", "#41", "#43")
    with pytest.raises(KitError, match=r"holds that text \d+ times"):
        edit("lib/io", "fd_write_all", "mov", "mvn")
    edit("first/answer", "start", "#42", "#43")
    edit("first/answer", "start", "#43", "#44")
    assert 44 == run(build("answer")).status
    undo()
    assert 42 == run(build("answer")).status


def test_reset_server_takes_everything_back_and_says_what() -> None:
    edit("first/answer", "start", "#42", "#43")
    edit("lib/io", "fd_write_all", "mov     x20, x1", "mov     x20, x0")
    run_cell("mine", "func main\n    mov x0, #9\n    ret")
    said = reset_server("")
    assert ("first/answer start", "lib/io fd_write_all") == said.pieces
    assert said.text().startswith("Back to the book's text: first/answer start, lib/io fd_write")
    assert "fd_write_all" in said.html()
    assert 42 == run(build("answer")).status
    assert () == build("hello").changed
    assert 9 == run(build("mine")).status, "a reader's own cell has no text to go back to"


def test_reset_server_takes_one_piece_or_one_module_back() -> None:
    def change() -> None:
        undo()
        edit("lib/io", "fd_write_all", "mov     x20, x1", "mov     x20, x0")
        edit("lib/io", "fd_read_some", "mov     x20, x1", "mov     x20, x0")
        edit("platform/darwin/file", "fd_write", "sys     write", "sys     read")

    change()
    assert ("lib/io fd_write_all",) == reset_server("lib/io fd_write_all").pieces
    assert ("lib/io fd_read_some", "platform/darwin/file fd_write") == tuple(
        sorted(build("cat").changed))
    change()
    assert ("lib/io fd_read_some", "lib/io fd_write_all") == tuple(
        sorted(reset_server("lib/io").pieces))
    assert ("platform/darwin/file fd_write",) == reset_server("platform/file").pieces
    assert () == build("cat").changed
    change()                            # undo() is the same mechanism
    undo("lib/io", "fd_write_all")
    undo("platform/darwin/file")
    assert ("lib/io fd_read_some",) == build("cat").changed


def test_reset_server_says_when_there_is_nothing_to_take_back() -> None:
    assert "Nothing to take back: all is the book's text." == reset_server("").text()
    for words in ("lib/io", "lib/io fd_write_all"):
        answer = reset_server(words)
        assert () == answer.pieces
        assert f"{words}: nothing to take back, it is the book's text." == answer.text()
    whole = Module.read("lib/io").text
    run_cell("lib/io", whole.replace("mov     x20, x1", "mov     x20, x0"))
    assert "take that back: %reset_server lib/io" in reset_server("lib/io fd_write_all").text()
    assert ("lib/io",) == build("hello").changed
    assert ("lib/io",) == reset_server("lib/io").pieces


def test_a_change_is_marked_again_after_it_was_taken_back() -> None:
    book = Module.read("first/answer").item("start").text
    for _ in range(2):
        assert "NOT THE BOOK'S TEXT" in run_cell(
            "first/answer start", book.replace("#42", "#43")).text()
        mine = build("answer")
        mark = "NOT THE BOOK'S TEXT: built with your first/answer start."
        assert mark == mine.text().splitlines()[1]
        assert "yk-mark" in mine.html() and "first/answer start" in mine.html()
        reset_server("")
        assert "NOT" not in build("answer").text() and "yk-mark" not in build("answer").html()


@pytest.mark.parametrize(("words", "message", "hint"), [
    ("lib/oi", "there is no module 'lib/oi'", "did you mean 'lib/io'?"),
    ("lib/io fd_write_al", "lib/io has no function or data named", "mean 'fd_write_all'?"),
    ("fd_write_all", "there is no module 'fd_write_all'", "%reset_server lib/io fd_write_all"),
    ("fd_write_al", "there is no module 'fd_write_al'", "did you mean 'fd_write_all'?"),
    ("nothing_like_it_at_all_0", "there is no module", "write it like: %reset_server lib/io"),
    ("lib/io fd_write_all now", "takes a module and a name, not 3 words", "lib/io fd_write_all"),
    ("mine", "'mine' is a cell of your own", "change the cell and run it again"),
])
def test_reset_server_names_what_it_does_not_know(words: str, message: str, hint: str) -> None:
    run_cell("mine", "func mine\n    ret")
    edit("first/answer", "start", "#42", "#43")
    with pytest.raises(KitError) as caught:
        reset_server(words)
    assert message in str(caught.value)
    assert hint in str(caught.value)
    assert ("first/answer start",) == build("answer").changed, "nothing else went back"


def test_a_magic_without_a_name_says_how_it_is_written() -> None:
    with pytest.raises(KitError, match="%%asm needs a name"):
        run_cell("", "ret")


def test_no_text_of_a_cell_brings_anything_but_a_clear_error() -> None:
    chance = random.Random(7)
    book = Module.read("lib/io").item("fd_write_all").text
    pieces = ["", "\0", "\t", "\"", "'", "\\", ".macro x\nx\n.endm\nx", ".include \"x\"", "#", "//",
              "/*", ".rept 9", "b .", "[", "]!", ",,", "é", "\u2028", ".if", "1:", "%%asm",
              "func", "rodata", "0x", "@PAGE", "svc", ":"]
    refused = 0
    for _ in range(150):
        at = chance.randrange(len(book))
        end = min(len(book), at + chance.choice([0, 0, 1, 5, 40]))
        text = book[:at] + chance.choice(pieces) + book[end:]
        try:
            run_cell("lib/io fd_write_all", text)
            build("hello")
        except KitError as error:
            refused += 1
            assert str(error)
    assert refused > 30


# -- files beside the folder, and symbolic links -------------------------------------------

def test_a_folder_may_hold_links_and_have_neighbours() -> None:
    files = {"a.txt": b"inside\n", "../b.txt": b"outside\n",
             "door": "../b.txt", "sub/c": "../a.txt"}
    cat = build("cat")
    assert b"inside\n" == run(cat, "sub/c", files=files).output
    assert b"outside\n" * 2 == run(cat, "../b.txt", "door", files=files).output
    assert b"outside\n" == trace(cat, "door", files=files).output

def test_a_folder_may_hold_empty_folders_and_pipes(tmp_path: Path) -> None:
    fill(tmp_path / "home", {"d/": b"", "deep/pipe": None})
    assert [] == list((tmp_path / "home/d").iterdir())
    assert (tmp_path / "home/deep/pipe").is_fifo()


def test_a_function_gets_numbers_of_its_own_whatever_the_notebook_has_open() -> None:
    before = descriptors()
    loopback = 0x0100007F
    for _ in range(2):
        done = call("listener_open", loopback, 0)
        assert (3, False) == (done.value, done.carry)
        assert "bind(3, 127.0.0.1:0, 16)" == done.calls[2].text
    assert before == descriptors()


# -- one's own module in a slot --------------------------------------------------------------

def test_a_cell_may_stand_in_the_place_of_a_module() -> None:
    run_cell("mine", "func serve_run\n    mov     x0, #7\n    ret\n")
    mine = build("once", swap={"serve/once": "mine"})
    assert ("mine for serve/once",) == mine.changed
    assert "exit 7" == trace(mine, "--port", "0").status
    assert "exit 7" != trace(build("once"), "--port", "0", plan="accept 1: EIO").status


def test_a_slot_must_be_filled_once() -> None:
    run_cell("mine", "func other\n    ret\n")
    with pytest.raises(KitError, match="no module defines 'serve_run'"):
        build("once", swap={"serve/once": "mine"})
    with pytest.raises(KitError, match="once has no module 'serve/serial'"):
        build("once", swap={"serve/serial": "mine"})
    with pytest.raises(KitError, match="there is no cell 'nobody'"):
        build("once", swap={"serve/once": "nobody"})


def test_a_port_that_the_kernel_chose_is_not_shown() -> None:
    done = trace(build("once"), "--port", "0", plan="accept 1: EIO")
    assert b"ymawky: serving . at http://127.0.0.1:(a port)/\n" == done.output
    assert 'write(1, "127.0.0.1:(a port)", 15)' in [call.text for call in done.calls]


@pytest.mark.parametrize(("function", "arguments", "promises"), [
    ("u64_parse", (b"12", 2), True), ("text_length", ("abc",), False)])
def test_a_call_shows_the_carry_flag_where_the_contract_promises_something(
        function: str, arguments: tuple[Argument, ...], promises: bool) -> None:
    assert promises == (", C clear" in call(function, *arguments).text())


def test_a_changed_program_is_saved_as_an_executable(tmp_path: Path) -> None:
    edit("stub/get_hello", "hello_fields", "hello, client", "hello, reader")
    changed = build("once")
    changed.save(tmp_path / "mine")
    assert changed.data == (tmp_path / "mine").read_bytes()
    assert b"hello, reader" in changed.data
    assert os.access(tmp_path / "mine", os.X_OK)


def test_a_cell_of_the_book_must_hold_its_function() -> None:
    for text in ("    ret\n", "func u64_read\n    ret\n", "// func u64_parse\n    ret\n"):
        with pytest.raises(KitError, match="must hold the function u64_parse"):
            run_cell("lib/number u64_parse", text)
    assert 7 == call("u64_parse", b"7", 1).value, "and the book's is still there"


def test_a_fault_plan_names_calls_that_exist() -> None:
    with pytest.raises(KitError, match="did you mean 'write'"):
        call("fd_write", 1, b"a", 1, plan="wirte 1: EINTR")


def test_a_function_without_ret_is_told_apart() -> None:
    run_cell("fallen", "func fallen\n    mov x0, #5\n")
    with pytest.raises(KitError, match="a ret missing"):
        call("fallen")


def test_an_edit_made_twice_says_that_it_is_made() -> None:
    edit("lib/number", "u64_parse", "#10", "#16")
    with pytest.raises(KitError, match="changed already; undo"):
        edit("lib/number", "u64_parse", "#10", "#16")


def test_a_program_in_the_place_of_a_request_is_noticed() -> None:
    with pytest.raises(KitError, match="program='once'"):
        watch({}, "once")


def test_a_server_that_is_over_is_no_riddle() -> None:
    run_cell("serve/once serve_run", "func serve_run\n    mov x0, #3\n    ret\n")
    with serve({}, "once") as site, pytest.raises(KitError, match="the server has ended, exit 3"):
        site.process.wait(10)
        site.get("/")
    undo()
    edit("net/listener", "listener_open", "    mov     x20, x0\n",
         "    mov     x20, #0\n    ldr     x20, [x20]\n")
    with pytest.raises(KitError, match="was killed by signal 11 SIGSEGV, before it said"):
        serve({}, "once")
