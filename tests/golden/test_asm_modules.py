"""Every module of src/asm assembles to the bytes that LLVM makes of it."""

from __future__ import annotations

from pathlib import Path

import pytest
from support import llvm_as
from support.llvm_as import Content, Fixup, Object

from ymawky_kit.asm import ClangEncoder, KeystoneEncoder, assemble, assemble_all
from ymawky_kit.obj import ObjectFile
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


def comparable(module: ObjectFile) -> Object:
    """Our object file in the form that llvm_as reads others into."""
    keys = [(s.segment, s.name) for s in module.sections]
    symbols = {
        s.name: ((*keys[s.section], s.value) if s.section is not None else s.value, s.is_global)
        for s in module.symbols
        if not s.name.startswith("ltmp")
    }
    places = {s.name: s for s in module.symbols}
    contents = {}
    for key, section in zip(keys, module.sections, strict=True):
        fixups = []
        for r in section.relocations:
            target: tuple[str, str, int] | str
            symbol = places.get(r.symbol)
            if symbol is None:
                target = f"{r.symbol}+{r.addend}" if r.addend else r.symbol
            else:
                assert symbol.section is not None
                target = (*keys[symbol.section], symbol.value + r.addend)
            fixups.append(Fixup(r.offset, int(r.kind), target))
        fixups.sort(key=lambda f: f.offset)
        contents[key] = Content(section.data, section.size, tuple(fixups))
    return Object(contents, symbols)


def differences(theirs: Object, ours: Object) -> list[str]:
    found = []
    empty = Content(b"", 0, ())
    for key in {*theirs.sections, *ours.sections}:
        a, b = theirs.sections.get(key, empty), ours.sections.get(key, empty)
        if a.size != b.size:
            found.append(f"{key}: size {a.size} and {b.size}")
        elif a.data != b.data:
            at = next(i for i, (x, y) in enumerate(zip(a.data, b.data, strict=False)) if x != y)
            at &= ~3
            found.append(
                f"{key}: at {at:#x} {a.data[at:at + 8].hex()} and {b.data[at:at + 8].hex()}"
            )
        if a.fixups != b.fixups:
            found += [f"{key}: {f}" for f in {*a.fixups} ^ {*b.fixups}]
    # Symbols that a linker never asks for may be missing: LLVM leaves out no name,
    # and neither do we.
    found += [
        f"symbol {name}: {theirs.symbols.get(name)} and {ours.symbols.get(name)}"
        for name in {*theirs.symbols, *ours.symbols}
        if theirs.symbols.get(name) != ours.symbols.get(name)
    ]
    return found


@pytest.fixture(scope="module", params=llvm_as.NAMES)
def theirs(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory):
    folder = tmp_path_factory.mktemp("llvm")
    sources = {
        name.replace("/", "."): source.text
        for name, source in {**MODULES, **{f"corpus/{n}": s for n, s in CORPUS.items()}}.items()
    }
    return llvm_as.objects(request.param, sources, folder, INCLUDE)


@pytest.fixture(scope="module")
def keystone() -> KeystoneEncoder:
    return KeystoneEncoder()


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
    by_clang = assemble_all(modules, include=INCLUDE, encoder=ClangEncoder())
    assert by_clang == assemble_all(modules, include=INCLUDE, encoder=keystone)
