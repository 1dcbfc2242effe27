"""The assembler front-end: the dialect of Apple's `as`, with messages for people.

    from ymawky_kit.asm import assemble
    module = assemble(Source.read(path), include=[folder])
"""

from ymawky_kit.asm.assembler import assemble, assemble_all
from ymawky_kit.asm.encoder import ClangEncoder, Encoder, KeystoneEncoder, default_encoder

__all__ = [
    "ClangEncoder",
    "Encoder",
    "KeystoneEncoder",
    "assemble",
    "assemble_all",
    "default_encoder",
]
