"""Names for addresses: the symbols of a running program."""

from __future__ import annotations

from bisect import bisect_right
from collections.abc import Iterable


class SymbolTable:
    """Symbols by address, all slid already."""

    def __init__(self, symbols: Iterable[tuple[str, int]]) -> None:
        pairs = sorted((address, name) for name, address in symbols)
        self._addresses = [address for address, _ in pairs]
        self._names = [name for _, name in pairs]
        self._by_name = {name: address for address, name in pairs}

    def address(self, name: str) -> int:
        """Where a symbol is; raises KeyError."""
        return self._by_name[name]

    def __contains__(self, name: str) -> bool:
        return name in self._by_name

    def names(self) -> tuple[str, ...]:
        """All names, by address."""
        return tuple(self._names)

    def nearest(self, address: int) -> tuple[str, int] | None:
        """The symbol at or before an address, and the distance to it."""
        index = bisect_right(self._addresses, address) - 1
        if index < 0 or self._names[index] == "__mh_execute_header":
            return None
        return self._names[index], address - self._addresses[index]

    def describe(self, address: int) -> str:
        """`0x100001010 (start+16)`."""
        found = self.nearest(address)
        if found is None or found[1] >= 1 << 20:
            return f"{address:#x}"
        name, offset = found
        return f"{address:#x} ({name}+{offset})" if offset else f"{address:#x} ({name})"
