"""On which line of a TOML file a key stands: what its parser does not tell."""

from __future__ import annotations

import re

_HEADER = re.compile(r"^\s*\[\[?\s*([^\]]+?)\s*\]\]?")
_KEY = re.compile(r"^\s*((?:[\w-]+|\"[^\"]*\"|'[^']*')(?:\s*\.\s*(?:[\w-]+|\"[^\"]*\"|'[^']*'))*)\s*=")
_PART = re.compile(r"[\w-]+|\"[^\"]*\"|'[^']*'")

Path = tuple[str, ...]


def line_of(text: str, path: Path) -> int | None:
    """Return the line, from 1, of the longest part of a path that the text has; None when it has nothing of it.

    The index of a table in an array is a number in the path: the first is ``0``.
    """
    known = _lines(text)
    for length in range(len(path), 0, -1):
        if path[:length] in known:
            return known[path[:length]]
    return None


def _lines(text: str) -> dict[Path, int]:
    known: dict[Path, int] = {}
    counts: dict[Path, int] = {}
    table: Path = ()
    for number, line in enumerate(text.splitlines(), start=1):
        header, key = _HEADER.match(line), _KEY.match(line)
        if header is not None:
            table = _parts(header[1])
            if line.lstrip().startswith("[["):
                counts[table] = counts.get(table, -1) + 1
                known.setdefault(table, number)
                table = (*table, str(counts[table]))
            known.setdefault(table, number)
        elif key is not None:
            path = (*table, *_parts(key[1]))
            for length in range(len(table) + 1, len(path) + 1):
                known.setdefault(path[:length], number)
    return known


def _parts(text: str) -> Path:
    return tuple(part.strip("\"'") for part in _PART.findall(text))
