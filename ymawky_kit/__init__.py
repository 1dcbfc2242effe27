"""The workshop of *ymawky, the book*: assemble, link, sign and run a macOS web server."""

from ymawky_kit.source import Diagnostic, KitError, Source, Span

__all__ = ["Diagnostic", "KitError", "Source", "Span"]
__version__ = "0.1.0"
