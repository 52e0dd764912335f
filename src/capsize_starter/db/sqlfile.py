"""Named queries out of a .sql file, so that no SQL stands in the code.

A file is a row of queries, each under a line `-- name: the_name` and at least one comment line that says what
it is for. A query is read as an attribute: `SQL = load_queries(Path(__file__).with_name("queries.sql"))`,
`SQL.the_name`. A name that does not exist is an error at once.
"""

import re
from pathlib import Path

_HEAD = re.compile(r"^-- name: *(\w+) *$", re.MULTILINE)


class Queries:
    """The queries of one file by name."""

    def __init__(self, source: str, queries: dict[str, str], notes: dict[str, str]) -> None:
        self._source = source
        self._queries = queries
        self.notes = notes
        """What each query is for."""

    def __getattr__(self, name: str) -> str:
        try:
            return self._queries[name]
        except KeyError:
            raise AttributeError(f"{self._source} has no query named {name!r}") from None


def load_queries(path: Path) -> Queries:
    """Read a file of named queries.

    Raises:
        ValueError: a name stands twice, or a query has no description.
    """
    parts = _HEAD.split(path.read_text("utf-8"))
    queries: dict[str, str] = {}
    notes: dict[str, str] = {}
    for name, body in zip(parts[1::2], parts[2::2], strict=True):
        lines = body.strip().splitlines()
        note = [line.removeprefix("--").strip() for line in lines if line.startswith("--")]
        if name in queries or not note:
            raise ValueError(f"{path.name}: query {name!r} is there twice or has no description")
        queries[name] = "\n".join(line for line in lines if not line.startswith("--")).strip()
        notes[name] = " ".join(note)
    return Queries(path.name, queries, notes)
