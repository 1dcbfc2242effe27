"""Images to signed Mach-O files, and back."""

from ymawky_kit.macho import codesign
from ymawky_kit.macho.check import Problem, check, refusals
from ymawky_kit.macho.describe import Region, regions
from ymawky_kit.macho.install import install
from ymawky_kit.macho.object import write_object
from ymawky_kit.macho.reader import MachO, read
from ymawky_kit.macho.report import report
from ymawky_kit.macho.writer import write
from ymawky_kit.obj import Image

__all__ = [
    "MachO",
    "Problem",
    "Region",
    "build",
    "check",
    "codesign",
    "install",
    "read",
    "refusals",
    "regions",
    "report",
    "write",
    "write_object",
]


def build(image: Image) -> bytes:
    """The finished file: written and signed."""
    return codesign.sign(write(image), image.identifier)
