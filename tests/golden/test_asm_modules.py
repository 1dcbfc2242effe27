"""Every module of src/asm assembles to the bytes that LLVM makes of it."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest
from support import encoders, llvm_as
from support.llvm_as import comparable, differences

from ymawky_kit.asm import Encoder, assemble, assemble_all
from ymawky_kit.paths import asm_root
from ymawky_kit.source import Source

ROOT = asm_root()
INCLUDE = [ROOT / "include", ROOT / "platform" / "darwin"]
MODULES = {
    str(path.relative_to(ROOT).with_suffix("")): Source.read(path)
    for path in sorted(ROOT.rglob("*.s"))
    if "platform/linux" not in path.as_posix()
}

#: What no module may happen to use yet but readers may.
CORPUS = {
    path.stem: Source.read(path) for path in sorted((Path(__file__).parent / "asm").glob("*.s"))
}


@pytest.fixture(scope="module", params=llvm_as.NAMES)
def theirs(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory):
    folder = tmp_path_factory.mktemp("llvm")
    sources = {
        name.replace("/", "."): source.text
        for name, source in {**MODULES, **{f"corpus/{n}": s for n, s in CORPUS.items()}}.items()
    }
    return llvm_as.objects(request.param, sources, folder, INCLUDE)


@pytest.fixture(scope="module")
def keystone() -> Encoder:
    return encoders.encoder("keystone")


@pytest.mark.parametrize("name", MODULES)
def test_a_module_has_the_bytes_symbols_and_relocations_that_llvm_makes(name, theirs, keystone):
    ours = assemble(MODULES[name], include=INCLUDE, encoder=keystone)
    assert [] == differences(theirs[name.replace("/", ".")], comparable(ours))


@pytest.mark.parametrize("name", CORPUS)
def test_a_file_of_the_corpus_has_what_llvm_makes_of_it(name, theirs, keystone):
    ours = assemble(CORPUS[name], include=INCLUDE, encoder=keystone)
    assert [] == differences(theirs[f"corpus.{name}"], comparable(ours))


def test_both_encoders_make_the_same_of_all_modules(keystone):
    modules = [(name, [source]) for name, source in MODULES.items()]
    by_clang = assemble_all(modules, include=INCLUDE, encoder=encoders.encoder("clang"))
    assert by_clang == assemble_all(modules, include=INCLUDE, encoder=keystone)


def test_all_modules_are_assembled_in_a_moment():
    """In a fresh process, Keystone's start included; twice the time we aim at is too long."""
    script = (
        "import sys, time\n"
        "from pathlib import Path\n"
        "from ymawky_kit.asm import assemble\n"
        "from ymawky_kit.source import Source\n"
        "root, *files = map(Path, sys.argv[1:])\n"
        "include = [root / 'include', root / 'platform' / 'darwin']\n"
        "start = time.process_time()\n"
        "lines = [len(assemble(Source.read(f), include=include).lines) for f in files]\n"
        "print(time.process_time() - start)\n"
    )
    files = [str(ROOT / f"{name}.s") for name in MODULES]
    done = subprocess.run(
        [sys.executable, "-c", script, str(ROOT), *files], capture_output=True, text=True
    )
    assert "" == done.stderr
    lines = sum(source.line_count for source in MODULES.values())
    assert float(done.stdout) < 2 * 0.4 * max(1, lines / 3500)
