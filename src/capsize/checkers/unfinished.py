"""What a run can prove that did not come to its end, or whose witness nobody spoke to; and what it can't."""

from __future__ import annotations

import msgspec

from capsize.core.events import Witnessed
from capsize.core.history import History
from capsize.core.verdict import Result, Verdict

REMOTE = "remote"
"""The platform of a service that capsize did not start."""
NEEDS_THE_END = frozenset({"completion", "retries", "availability", "spread", "steady", "isolation"})
"""Claims that fail for want of something: in a run that was broken off, it might have come yet."""


NEEDS_THE_WITNESS = frozenset({"misreported", "completion", "late"})
"""Claims that say nothing of a service whose workers were never told where the witness is."""


def completed(history: History) -> bool:
    """Return whether a run came to its end in order, and its record is whole."""
    return history.ended is not None and history.ended.how == "completed" and not history.truncated


def unwitnessed(history: History) -> bool:
    """Return whether the service was started by somebody else and its workers never spoke to the witness.

    Workers that capsize started know the witness: their silence is no excuse.
    """
    return history.began is not None and history.began.platform == REMOTE and not history.of(Witnessed)


def fair(result: Result, history: History) -> Result:
    """Return what a checker said, with a failure for want of something that nobody could see made UNKNOWN.

    What certainly happened (a task done twice, a fault that could not be healed) stays a failure. In a run
    that stopped before anything was harmed nothing is a failure: it says nothing of the service under chaos.
    """
    if result.verdict is not Verdict.FAIL:
        return result
    if history.ended is not None and history.ended.how == "not_steady":
        return _open(result, "nothing was harmed, the system was not steady")
    if result.checker in NEEDS_THE_END and not completed(history):
        return _open(result, "the run did not come to its end; so far")
    if result.checker in NEEDS_THE_WITNESS and unwitnessed(history):
        return _open(result, "the service's workers do not announce to this capsize's witness; seen")
    return result


def _open(result: Result, why: str) -> Result:
    summary = f"open, since {why}: {result.summary}"
    return msgspec.structs.replace(result, verdict=Verdict.UNKNOWN, summary=summary, findings=())
