"""What several checkers derive from a history is derived once."""

from __future__ import annotations

from collections.abc import Callable
from functools import wraps
from typing import TypeVar
from weakref import WeakKeyDictionary

from capsize.core.history import History

T = TypeVar("T")


def derived(build: Callable[[History], T]) -> Callable[[History], T]:
    """Remember what a function makes of a history, for as long as that history lives.

    A history never changes, so this is safe. What is made must not hold the history itself.
    """
    made: WeakKeyDictionary[History, T] = WeakKeyDictionary()

    @wraps(build)
    def once(history: History) -> T:
        if history not in made:
            made[history] = build(history)
        return made[history]

    return once
