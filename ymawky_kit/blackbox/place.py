"""The files of the cases, put into a folder and taken away again, nothing else touched."""

from __future__ import annotations

import contextlib
import os
from collections.abc import Mapping
from pathlib import Path
from types import TracebackType

from ymawky_kit.blackbox.case import Entry, File, Folder, Link
from ymawky_kit.source import KitError


class Placed:
    """Entries below a folder that is there.  Leave the `with` block, and they are gone.

    Raises :class:`KitError`, with nothing made, when one of the names is taken.
    """

    def __init__(self, folder: Path, entries: Mapping[str, Entry]) -> None:
        self._made: list[tuple[Path, tuple[int, int]]] = []     # with device and inode
        taken = [name for name in entries if os.path.lexists(folder / name)]
        if taken:
            raise KitError.of(
                f"{folder} has {taken[0]} already, and nothing is overwritten",
                hint="give the server, and --root, an empty folder")
        try:
            for name, entry in entries.items():
                self._folders(folder, Path(name).parent)
                self._make(folder / name, entry)
        except OSError as error:
            self.remove()
            raise KitError.of(f"cannot put the files of the cases into {folder}: "
                              f"{error.strerror}") from None
        except BaseException:
            self.remove()
            raise

    def _folders(self, top: Path, below: Path) -> None:
        for parent in [*reversed(below.parents), below]:
            if not (top / parent).exists():
                (top / parent).mkdir()
                self._note(top / parent)

    def _make(self, path: Path, entry: Entry) -> None:
        match entry:
            case File():
                with path.open("xb") as file:       # never over what is there
                    self._note(path)
                    file.write(entry.data)
                if entry.modified is not None:
                    os.utime(path, (entry.modified, entry.modified))
            case Folder():
                path.mkdir()
                self._note(path)
            case Link():
                path.symlink_to(entry.target)
                self._note(path)
            case _:
                os.mkfifo(path)
                self._note(path)

    def _note(self, path: Path) -> None:
        found = path.lstat()
        self._made.append((path, (found.st_dev, found.st_ino)))

    def remove(self) -> None:
        """Remove what was made, and is still what was made."""
        while self._made:
            path, mark = self._made.pop()
            with contextlib.suppress(OSError):
                found = path.lstat()
                if (found.st_dev, found.st_ino) != mark:
                    continue            # somebody else has put something there
                if path.is_dir() and not path.is_symlink():
                    path.rmdir()        # stays where somebody has put something into it
                else:
                    path.unlink()

    def __enter__(self) -> Placed:
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None,
                 trace: TracebackType | None) -> None:
        self.remove()
