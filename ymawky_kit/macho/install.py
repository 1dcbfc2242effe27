"""Put a finished program where it shall be."""

from __future__ import annotations

from pathlib import Path

from ymawky_kit.source import KitError


def install(data: bytes, path: Path) -> None:
    """Write a program to a new file, make it executable, rename it into place.

    Never over the old file: macOS remembers the signature of a file it has run,
    by the file and not by its name, and kills a program whose bytes changed
    under it.  Raises :class:`KitError` when the folder cannot be written, and when
    `path` is there and no regular file.
    """
    path = Path(path)
    if path.is_dir():
        raise KitError.of(f"{path} is a folder", hint="say the name of the file to write")
    if path.exists() and not path.is_file():    # renamed over /dev/null, it is gone
        raise KitError.of(f"{path} is a device or a pipe, and no file to replace")
    import tempfile  # slow to load; an emulated process reads programs, it installs none

    temporary: Path | None = None
    try:
        with tempfile.NamedTemporaryFile(dir=path.parent, prefix=f".{path.name}.",
                                         delete=False) as file:
            temporary = Path(file.name)
            file.write(data)
        temporary.chmod(0o755)
        temporary.replace(path)
        temporary = None
    except OSError as problem:
        raise KitError.of(f"cannot write {path}: {problem.strerror}") from None
    finally:
        if temporary is not None:
            temporary.unlink(missing_ok=True)

