"""The figures of a run that can be compared, by name."""

from __future__ import annotations

import math
from typing import Literal

from capsize.checkers import ANOMALIES
from capsize.core.verdict import Judgement
from capsize.report.model import RunReport

VERDICT = "verdict"
ANOMALIES_FIGURE = "anomalies"

How = Literal["median", "mean", "worst"]

TOLD = (
    "verdict",
    "anomalies",
    *ANOMALIES,
    "completion_ratio",
    "api_success_ratio",
    "recovery_p50_s",
    "recovery_max_s",
    "latency_p50_s",
    "latency_p99_s",
    "redelivery_max_s",
    "retries",
    "steady_ratio",
    "held_in_chaos_ratio",
)
"""The figures that a comparison tells, in order; a threshold may name any other."""

INTERVALS = {"completion_ratio": "completion", "api_success_ratio": "api_success"}
"""Rates whose own interval each run has, under these names with ``_low`` and ``_high``."""


def figures(run: RunReport) -> dict[str, float]:
    """Return the figures of a run.

    ``verdict`` is its rank (0 PASS, 1 PARTIAL, 2 UNKNOWN, 3 FAIL), ``anomalies`` counts the findings of all
    anomalies, and each anomaly's name those of its own. Every number that a checker measured is there as
    ``checker.measure``, and as ``measure`` where only one checker has that name.
    """
    judgement = run.result.judgement
    if run.result.skipped or judgement is None:
        return {}
    found = {f"{checker}.{name}": value for checker, name, value in _measures(judgement)}
    names = [name for _, name, _ in _measures(judgement)]
    found |= {name: value for _, name, value in _measures(judgement) if names.count(name) == 1}
    judged = {result.checker for result in judgement.results}
    counts = {name: _count(judgement, name) for name in ANOMALIES if name in judged}
    return found | counts | {"anomalies": sum(counts.values()), VERDICT: float(run.result.verdict)}


def how(name: str) -> How:
    """Return how the values of several runs become one: a verdict by the worst, a count of anomalies by the mean.

    A median would hide the one run in ten that lost a task.
    """
    if name == VERDICT:
        return "worst"
    return "mean" if name in ANOMALIES or name == ANOMALIES_FIGURE else "median"


def _measures(judgement: Judgement) -> list[tuple[str, str, float]]:
    return [
        (result.checker, name, float(value))
        for result in judgement.results
        for name, value in result.measures.items()
        if isinstance(value, int | float) and not isinstance(value, bool) and math.isfinite(value)
    ]


def _count(judgement: Judgement, anomaly: str) -> float:
    return float(sum(finding.anomaly == anomaly for finding in judgement.findings))
