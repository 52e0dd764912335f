"""What a run that did not come to its end can prove, and what it can't."""

from __future__ import annotations

import msgspec

from capsize.core.history import History
from capsize.core.verdict import Result, Verdict

NEEDS_THE_END = frozenset({"completion", "retries", "availability", "spread", "steady"})
"""Claims that fail for want of something: in a run that was broken off, it might have come yet."""


def completed(history: History) -> bool:
    """Return whether a run came to its end in order, and its record is whole."""
    return history.ended is not None and history.ended.how == "completed" and not history.truncated


def fair(result: Result, history: History) -> Result:
    """Return what a checker said, with a failure that only the rest of the run could prove made UNKNOWN.

    What certainly happened (a task done twice, a fault that could not be healed) stays a failure.
    """
    if result.verdict is not Verdict.FAIL or result.checker not in NEEDS_THE_END or completed(history):
        return result
    summary = f"open, since the run did not come to its end; so far: {result.summary}"
    return msgspec.structs.replace(result, verdict=Verdict.UNKNOWN, summary=summary, findings=())
