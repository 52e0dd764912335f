"""How the API answered over time: success and latency, in bins."""

from __future__ import annotations

from collections.abc import Sequence

import msgspec

from capsize.checkers.answers import api_calls, held_back, ready
from capsize.checkers.figures import quantile
from capsize.core.events import Op
from capsize.core.history import History
from capsize.report.charts.bins import binned, middles, width_s


class Answers(msgspec.Struct, frozen=True, kw_only=True):
    """One value for each bin, None where no call was planned in it.

    ``success`` and ``ready`` are percent of good answers to the API load and to the availability probe.
    Latencies are milliseconds from the planned time, over all calls of the load, also those that failed.
    """

    width_s: float
    t: list[float]
    success: list[float | None]
    ready: list[float | None]
    p50: list[float | None]
    p95: list[float | None]
    worst: list[float | None]
    calls: int


def answers(history: History) -> Answers:
    """Return the calls of the API load and the readiness answers; calls that capsize held back are left out."""
    calls = [op for op in api_calls(history) if not held_back(op)]
    end_s = history.end_s
    bins = binned(((op.planned, op) for op in calls), end_s)
    looks = binned(((op.sent, op) for op in ready(history)), end_s)
    return Answers(
        width_s=width_s(end_s),
        t=middles(end_s),
        success=[_good(ops) for ops in bins],
        ready=[_good(ops) for ops in looks],
        p50=[_latency(ops, 0.5) for ops in bins],
        p95=[_latency(ops, 0.95) for ops in bins],
        worst=[_latency(ops, 1.0) for ops in bins],
        calls=len(calls),
    )


def _good(ops: Sequence[Op]) -> float | None:
    return round(100 * sum(op.outcome == "ok" for op in ops) / len(ops), 2) if ops else None


def _latency(ops: Sequence[Op], share: float) -> float | None:
    return round(1000 * quantile([op.t - op.planned for op in ops], share), 2) if ops else None
