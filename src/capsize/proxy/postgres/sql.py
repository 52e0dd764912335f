"""Just enough SQL to tell which commands and names a text has, past its comments and literals."""

from __future__ import annotations

import re

_ASIDE = re.compile(
    r"""
    "(?:[^"]|"")*(?:"|\Z)                                   # an identifier, kept
    | --[^\n]*
    | /\*.*?(?:\*/|\Z)
    | \b[eE]'(?:[^'\\]|\\.|'')*(?:'|\Z)
    | '(?:[^']|'')*(?:'|\Z)
    | \$(?P<tag>(?:[A-Za-z_]\w*)?)\$.*?(?:\$(?P=tag)\$|\Z)
    """,
    re.VERBOSE | re.DOTALL,
)
_FIRST_WORDS = re.compile(r"(?:^|;)\s*([A-Za-z]+)(?:\s+([A-Za-z]+))?")
_QUOTED = re.compile(r'"(?:[^"]|"")*(?:"|\Z)')
_SYNONYMS = {
    "END": "COMMIT",
    "ABORT": "ROLLBACK",
    "START TRANSACTION": "BEGIN",
}


def skeleton(text: str) -> str:
    """Return the text without comments and with its literals blank."""
    return _ASIDE.sub(lambda found: found[0] if found[0].startswith('"') else " ", text)


def commands(bones: str) -> frozenset[str]:
    """Return the commands of all statements of a skeleton in capitals: the first word, and the first two.

    END counts as COMMIT too, START TRANSACTION as BEGIN, ABORT as ROLLBACK.
    """
    found: set[str] = set()
    for match in _FIRST_WORDS.finditer(_QUOTED.sub('""', bones)):
        first = match[1].upper()
        both = f"{first} {match[2].upper()}" if match[2] else first
        found |= {first, both}
    return frozenset(found | {_SYNONYMS[name] for name in found if name in _SYNONYMS})


def names_table(bones: str, table: str) -> bool:
    """Return whether a name stands in a skeleton, quoted or not, with or without a schema; case is ignored."""
    return (
        re.search(rf"(?<![\w$]){re.escape(table)}(?![\w$])", bones.replace('"', ""), re.IGNORECASE)
        is not None
    )
