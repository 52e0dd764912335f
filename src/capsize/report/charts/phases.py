"""The charts in words: one row of figures for each phase, for whoever can't or won't look at a picture."""

from __future__ import annotations

import msgspec

from capsize.checkers.answers import api_calls, held_back, ready
from capsize.checkers.figures import quantile
from capsize.checkers.lives import lives
from capsize.checkers.strikes import strikes
from capsize.core.events import Op, PhaseChanged, Sample
from capsize.core.history import History


class PhaseRow(msgspec.Struct, frozen=True, kw_only=True):
    """What happened in one phase; ratios and latencies (seconds) are None where there was no call.

    ``accepted`` and ``finished`` are the tasks within the phase, ``pending_max`` the deepest queue seen.
    """

    name: str
    begin: float
    end: float
    why: str
    strikes: int
    calls: int
    success: float | None
    ready: float | None
    p50: float | None
    p95: float | None
    worst: float | None
    accepted: int
    finished: int
    pending_max: int | None


def phase_rows(history: History) -> tuple[PhaseRow, ...]:
    """Return the phases in order."""
    return tuple(
        _row(history, name, *span) for name in history.phases if (span := history.phase(name)) is not None
    )


def _row(history: History, name: str, begin: float, end: float) -> PhaseRow:
    calls = [op for op in api_calls(history) if not held_back(op) and begin <= op.planned < end]
    looks = [op for op in ready(history) if begin <= op.sent < end]
    latencies = [op.t - op.planned for op in calls]
    known = lives(history).acknowledged
    ends = [event for event in history.of(PhaseChanged) if event.phase == name and event.what == "end"]
    return PhaseRow(
        name=name,
        begin=begin,
        end=end,
        why=ends[-1].why if ends else "the record stops here",
        strikes=sum(s.landed is not None and begin <= s.landed < end for s in strikes(history)),
        calls=len(calls),
        success=_share(calls),
        ready=_share(looks),
        p50=quantile(latencies, 0.5) if latencies else None,
        p95=quantile(latencies, 0.95) if latencies else None,
        worst=max(latencies, default=None),
        accepted=sum(begin <= (life.acknowledged or 0.0) < end for life in known),
        finished=sum(begin <= t < end for life in known if (t := life.finished) is not None),
        pending_max=max(_pending(history, begin, end), default=None),
    )


def _share(ops: list[Op]) -> float | None:
    return sum(op.outcome == "ok" for op in ops) / len(ops) if ops else None


def _pending(history: History, begin: float, end: float) -> list[int]:
    looks = (s for s in history.of(Sample) if s.probe == "stats" and begin <= s.began < end)
    return [value for look in looks if type(value := look.values.get("pending")) is int]
