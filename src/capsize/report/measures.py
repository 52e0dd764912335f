"""The few figures that every report leads with, picked from the checkers' measures."""

from __future__ import annotations

import math
from typing import Any

from capsize.core.verdict import Judgement, ScenarioResult
from capsize.report.wording import count, interval, percent, seconds


def headline(result: ScenarioResult) -> str:
    """Return what stands in brackets behind a scenario's verdict.

    Completion and retries where the scenario works through tasks, otherwise the API success rate and the
    longest recovery; the reason where there is no judgement, nothing was harmed, or a guardrail ended the run.
    """
    if result.judgement is None or result.not_steady or result.aborted:
        return result.reason
    judgement = result.judgement
    parts = []
    completion = number(judgement, "completion", "completion_ratio")
    retries = number(judgement, "retries", "retries")
    if completion is not None:
        parts.append(percent(completion))
        if retries is not None:
            parts.append(count(int(retries), "retry", "retries"))
        return ", ".join(parts)
    success = number(judgement, "availability", "api_success_ratio")
    recovery = number(judgement, "recovery", "recovery_max_s")
    if success is not None:
        parts.append(f"{percent(success)} API success")
    if recovery is not None:
        parts.append(f"recovery {seconds(recovery)} at most")
    return ", ".join(parts)


def key_figures(judgement: Judgement) -> tuple[tuple[str, str], ...]:
    """Return the figures that matter most as name and text, only those that were measured."""
    rows = (
        ("Tasks completed", _tasks(judgement)),
        ("Recovery", _recovery(judgement)),
        ("API success", _success(judgement)),
        ("Retries", _plain(judgement, "retries", "retries")),
        ("Redelivered", _redelivered(judgement)),
    )
    return tuple((name, text) for name, text in rows if text)


def _tasks(judgement: Judgement) -> str:
    for checker in ("completion", "reported"):
        text = _rate(judgement, checker, "completion")
        if text:
            return text
    return ""


def _recovery(judgement: Judgement) -> str:
    median = number(judgement, "recovery", "recovery_p50_s")
    longest = number(judgement, "recovery", "recovery_max_s")
    parts = []
    if median is not None:
        parts.append(f"p50 {seconds(median)}")
    if longest is not None:
        parts.append(f"max {seconds(longest)}")
    return ", ".join(parts)


def _success(judgement: Judgement) -> str:
    return _rate(judgement, "availability", "api_success")


def _rate(judgement: Judgement, checker: str, name: str) -> str:
    """Return a rate with its interval: over few tasks or calls the interval says more than the rate."""
    ratio = number(judgement, checker, f"{name}_ratio")
    if ratio is None:
        return ""
    low = number(judgement, checker, f"{name}_low")
    high = number(judgement, checker, f"{name}_high")
    return percent(ratio) + (f" ({interval(low, high)})" if None not in (low, high) else "")


def _redelivered(judgement: Judgement) -> str:
    """Return the tasks done again because their worker died before it could say so: no defect, but to be known."""
    tasks = number(judgement, "duplicate", "redelivered")
    return f"{tasks:g}, their worker died between effect and commit" if tasks else ""


def _plain(judgement: Judgement, checker: str, name: str) -> str:
    value = number(judgement, checker, name)
    return "" if value is None else f"{value:g}"


def number(judgement: Judgement, checker: str, name: str) -> Any:
    """Return a measure when it is a number; None stands for not measured, and for infinity and NaN."""
    value = judgement.measure(checker, name)
    if isinstance(value, bool) or not isinstance(value, int | float):
        return None
    return value if math.isfinite(value) else None
