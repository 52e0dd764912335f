"""Which statements a rule is about."""

from __future__ import annotations

import re
from functools import cached_property

import msgspec

from capsize.proxy.postgres import sql


class Match(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True, dict=True):
    """What a statement must have; all that is given must hold, and something must be given.

    ``regex`` is searched in the text (case ignored), ``command`` is the first word or two of any of its
    statements (``COMMIT``, ``DROP TABLE``), ``table`` a name that stands in it outside of literals and
    comments. ``startup`` is the beginning of a connection instead of a statement.
    """

    regex: str | None = None
    command: str | None = None
    table: str | None = None
    startup: bool = False

    def __post_init__(self) -> None:
        given = [self.regex, self.command, self.table]
        if self.startup == any(field is not None for field in given):
            raise ValueError("match needs regex, command or table, or else startup")
        if "" in given:
            raise ValueError("an empty regex, command or table would match everything")
        if self.regex is not None:
            try:
                re.compile(self.regex)
            except re.error as error:
                raise ValueError(f"the regex is wrong: {error}") from error

    def holds(self, text: str) -> bool:
        """Return whether a statement's text has what is asked for."""
        if self.startup:
            return False
        if self._pattern is not None and not self._pattern.search(text):
            return False
        if self.command is None and self.table is None:
            return True
        bones = sql.skeleton(text)
        if self.command is not None and " ".join(self.command.upper().split()) not in sql.commands(bones):
            return False
        return self.table is None or sql.names_table(bones, self.table)

    @cached_property
    def _pattern(self) -> re.Pattern[str] | None:
        return None if self.regex is None else re.compile(self.regex, re.IGNORECASE | re.DOTALL)
