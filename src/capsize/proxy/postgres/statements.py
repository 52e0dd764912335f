"""What a client has prepared on its connection: the texts by name, within bounds."""

from __future__ import annotations

TEXT_BYTES_MAX = 1024 * 1024
NAMES_MAX = 4_096


class Statements:
    """Texts by the names of prepared statements and of portals; the oldest are forgotten past the bounds."""

    __slots__ = ("_bytes", "_portals", "_prepared")

    def __init__(self) -> None:
        self._prepared: dict[bytes, bytes] = {}
        self._portals: dict[bytes, bytes] = {}
        self._bytes = 0

    def parse(self, name: bytes, text: bytes) -> None:
        """Remember the text of a statement; the empty name is used again and again."""
        self._drop(name)
        self._prepared[name] = text
        self._bytes += len(text)
        while self._bytes > TEXT_BYTES_MAX or len(self._prepared) > NAMES_MAX:
            self._drop(next(iter(self._prepared)))

    def bind(self, portal: bytes, name: bytes) -> None:
        """Remember which statement a portal runs."""
        text = self._prepared.get(name)
        if text is None:
            self._portals.pop(portal, None)
            return
        self._portals[portal] = text
        if len(self._portals) > NAMES_MAX:
            del self._portals[next(iter(self._portals))]

    def text(self, portal: bytes) -> bytes | None:
        """Return what a portal runs, if it is known."""
        return self._portals.get(portal)

    def close(self, kind: int, name: bytes) -> None:
        """Forget a statement (``S``) or a portal (``P``)."""
        if kind == 0x53:
            self._drop(name)
        else:
            self._portals.pop(name, None)

    def _drop(self, name: bytes) -> None:
        self._bytes -= len(self._prepared.pop(name, b""))
