"""Numbers of <mach-o/loader.h>, <mach-o/nlist.h> and XNU's cs_blobs.h, under their own names."""

from __future__ import annotations

from typing import Final

# mach_header_64
MH_MAGIC_64: Final = 0xFEED_FACF
CPU_TYPE_ARM64: Final = 0x0100_000C
CPU_SUBTYPE_ARM64_ALL: Final = 0
MH_OBJECT: Final = 1
MH_EXECUTE: Final = 2

MH_NOUNDEFS: Final = 0x1            # no symbol is left to find
MH_DYLDLINK: Final = 0x4            # dyld starts it; without it the kernel refuses
MH_TWOLEVEL: Final = 0x80           # names are looked up library by library
MH_PIE: Final = 0x20_0000           # may be loaded anywhere; the kernel insists

# Load commands.  Bit 31 means that a loader must understand the command.
LC_REQ_DYLD: Final = 0x8000_0000
LC_SYMTAB: Final = 0x2
LC_UNIXTHREAD: Final = 0x5
LC_DYSYMTAB: Final = 0xB
LC_LOAD_DYLIB: Final = 0xC
LC_LOAD_DYLINKER: Final = 0xE
LC_SEGMENT_64: Final = 0x19
LC_UUID: Final = 0x1B
LC_CODE_SIGNATURE: Final = 0x1D
LC_FUNCTION_STARTS: Final = 0x26
LC_DATA_IN_CODE: Final = 0x29
LC_SOURCE_VERSION: Final = 0x2A
LC_BUILD_VERSION: Final = 0x32
LC_DYLD_INFO_ONLY: Final = 0x22 | LC_REQ_DYLD
LC_MAIN: Final = 0x28 | LC_REQ_DYLD
LC_DYLD_EXPORTS_TRIE: Final = 0x33 | LC_REQ_DYLD
LC_DYLD_CHAINED_FIXUPS: Final = 0x34 | LC_REQ_DYLD

COMMAND_NAMES: Final = {
    LC_SYMTAB: "LC_SYMTAB",
    LC_UNIXTHREAD: "LC_UNIXTHREAD",
    LC_DYSYMTAB: "LC_DYSYMTAB",
    LC_LOAD_DYLIB: "LC_LOAD_DYLIB",
    LC_LOAD_DYLINKER: "LC_LOAD_DYLINKER",
    LC_SEGMENT_64: "LC_SEGMENT_64",
    LC_UUID: "LC_UUID",
    LC_CODE_SIGNATURE: "LC_CODE_SIGNATURE",
    LC_FUNCTION_STARTS: "LC_FUNCTION_STARTS",
    LC_DATA_IN_CODE: "LC_DATA_IN_CODE",
    LC_SOURCE_VERSION: "LC_SOURCE_VERSION",
    LC_BUILD_VERSION: "LC_BUILD_VERSION",
    LC_DYLD_INFO_ONLY: "LC_DYLD_INFO_ONLY",
    LC_MAIN: "LC_MAIN",
    LC_DYLD_EXPORTS_TRIE: "LC_DYLD_EXPORTS_TRIE",
    LC_DYLD_CHAINED_FIXUPS: "LC_DYLD_CHAINED_FIXUPS",
}

PLATFORM_MACOS: Final = 1

# Memory protection
VM_PROT_READ: Final = 1
VM_PROT_WRITE: Final = 2
VM_PROT_EXECUTE: Final = 4

# Sections
S_ZEROFILL: Final = 1
S_CSTRING_LITERALS: Final = 2
S_ATTR_SOME_INSTRUCTIONS: Final = 0x400
S_ATTR_PURE_INSTRUCTIONS: Final = 0x8000_0000

# nlist_64
N_EXT: Final = 0x1
N_UNDF: Final = 0x0
N_ABS: Final = 0x2
N_SECT: Final = 0xE
REFERENCED_DYNAMICALLY: Final = 0x10

# The rebase instructions of LC_DYLD_INFO: the high half is the operation.
REBASE_OPCODE_DONE: Final = 0x00
REBASE_OPCODE_SET_TYPE_IMM: Final = 0x10
REBASE_OPCODE_SET_SEGMENT_AND_OFFSET_ULEB: Final = 0x20
REBASE_OPCODE_ADD_ADDR_ULEB: Final = 0x30
REBASE_OPCODE_ADD_ADDR_IMM_SCALED: Final = 0x40
REBASE_OPCODE_DO_REBASE_IMM_TIMES: Final = 0x50
REBASE_OPCODE_DO_REBASE_ULEB_TIMES: Final = 0x60
REBASE_OPCODE_DO_REBASE_ADD_ADDR_ULEB: Final = 0x70
REBASE_OPCODE_DO_REBASE_ULEB_TIMES_SKIPPING_ULEB: Final = 0x80
REBASE_TYPE_POINTER: Final = 1

# Code signature; these blobs are big-endian
CSMAGIC_EMBEDDED_SIGNATURE: Final = 0xFADE_0CC0
CSMAGIC_CODEDIRECTORY: Final = 0xFADE_0C02
CSSLOT_CODEDIRECTORY: Final = 0
CS_ADHOC: Final = 0x2               # no certificate: hashes only
CS_LINKER_SIGNED: Final = 0x2_0000  # by a linker, so codesign may replace it freely
CS_HASHTYPE_SHA256: Final = 2
CS_SHA256_LEN: Final = 32
CS_CDHASH_LEN: Final = 20
CS_SUPPORTSEXECSEG: Final = 0x2_0400    # the version that knows the __TEXT range
CS_EXECSEG_MAIN_BINARY: Final = 0x1

PAGE: Final = 0x4000                # 16 KiB, of memory and of segments in the file
DYLD_PATH: Final = "/usr/lib/dyld"
LIBSYSTEM_PATH: Final = "/usr/lib/libSystem.B.dylib"
