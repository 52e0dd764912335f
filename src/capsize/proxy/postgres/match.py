"""Which statements a rule is about."""

from __future__ import annotations

import re
from collections.abc import Sequence
from functools import cached_property

import msgspec

from capsize.proxy.postgres import sql


class Match(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True, dict=True):
    """What a statement must have; all that is given must hold, and something must be given.

    ``regex`` is searched in the text (case ignored), ``command`` is the first word or two of any of its
    statements (``COMMIT``, ``DROP TABLE``), ``table`` a name that stands in it outside of literals and
    comments. ``startup`` is the beginning of a connection instead of a statement.

    ``transaction`` is searched, as ``regex`` is, in what the same transaction did before the statement, its texts
    joined by line breaks; ``alone`` holds for a statement outside of any transaction. Both know only of a
    transaction that began when such a rule was there already.
    """

    regex: str | None = None
    command: str | None = None
    table: str | None = None
    startup: bool = False
    transaction: str | None = None
    alone: bool = False

    def __post_init__(self) -> None:
        given = [self.regex, self.command, self.table]
        if self.startup == any(field is not None for field in given):
            raise ValueError("match needs regex, command or table, or else startup")
        if "" in given or self.transaction == "":
            raise ValueError("an empty regex, command, table or transaction would match everything")
        if self.contextual and (self.startup or (self.alone and self.transaction is not None)):
            raise ValueError("a startup has no transaction, and a statement that is alone has none")
        for pattern in (self.regex, self.transaction):
            try:
                re.compile(pattern or "")
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

    @property
    def contextual(self) -> bool:
        """Return whether it hangs on what came before the statement."""
        return self.alone or self.transaction is not None

    def holds_after(self, before: Sequence[str] | None) -> bool:
        """Return whether it holds behind the statements of an open transaction; None: there is none."""
        if self._context is None:
            return before is None or not self.alone
        return before is not None and self._context.search("\n".join(before)) is not None

    @cached_property
    def _context(self) -> re.Pattern[str] | None:
        flags = re.IGNORECASE | re.DOTALL
        return None if self.transaction is None else re.compile(self.transaction, flags)

    @cached_property
    def _pattern(self) -> re.Pattern[str] | None:
        return None if self.regex is None else re.compile(self.regex, re.IGNORECASE | re.DOTALL)
