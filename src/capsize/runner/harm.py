"""How many instances may be in the hands of strikes at once: ``--max-harm``."""

from __future__ import annotations

from collections.abc import Iterable


class Harm:
    """Counts the instances that strikes have in their hands, from before they are struck until they are healed.

    ``most`` None: there is no bound. An instance counts whatever is done to it: one that answers slowly is harmed too.
    """

    def __init__(self, most: int | None) -> None:
        self._most = most
        self._held: dict[str, frozenset[str]] = {}

    def refuses(self, victims: Iterable[str]) -> str | None:
        """Return why these can't be struck now, None when they can."""
        held = frozenset().union(*self._held.values())
        after = held | {*victims}
        # What is harmed already is not harmed more.
        if self._most is None or len(after) <= self._most or after == held:
            return None
        return f"{len(after)} instances would be harmed at once, and --max-harm allows {self._most}"

    def never(self, victims: Iterable[str]) -> bool:
        """Return whether these are too many even when nothing else is harmed."""
        return self._most is not None and len({*victims}) > self._most

    def take(self, strike: str, victims: Iterable[str]) -> None:
        """Count the victims of a strike in."""
        self._held[strike] = frozenset(victims)

    def give_back(self, strike: str) -> None:
        """Count them out; again, or never counted in, is fine."""
        self._held.pop(strike, None)
