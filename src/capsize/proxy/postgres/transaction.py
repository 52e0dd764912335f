"""What the open transaction of a connection has done so far, by its statements."""

from __future__ import annotations

from functools import lru_cache

from capsize.proxy.postgres import sql

STATEMENTS_MAX = 100
TEXT_CHARS_MAX = 8 * 1024

BEGIN, END = "BEGIN", frozenset({"COMMIT", "ROLLBACK"})


class Transaction:
    """Follows BEGIN and COMMIT; the first hundred statements between them are remembered, each up to 8 KB."""

    __slots__ = ("_texts",)

    def __init__(self) -> None:
        self._texts: list[str] | None = None

    def before(self, text: bytes) -> tuple[str, ...] | None:
        """Take the next statement into account and return what came before it; None when it stands alone."""
        before = None if self._texts is None else tuple(self._texts)
        commands = _commands(text)
        if commands & END:
            self._texts = None
        elif BEGIN in commands:
            self._texts = []
        elif self._texts is not None and len(self._texts) < STATEMENTS_MAX:
            self._texts.append(text[:TEXT_CHARS_MAX].decode("utf-8", "replace"))
        return before


@lru_cache(maxsize=1024)
def _commands(text: bytes) -> frozenset[str]:
    return sql.commands(sql.skeleton(text.decode("utf-8", "replace")))
