"""Recommendations: which rules of the table a run meets, and how its figures meet them."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Literal

import msgspec

from capsize.core.verdict import Judgement, Result, Verdict
from capsize.report.advice_table import (
    ANOMALY_ADVICE,
    CLAIM_ADVICE,
    UNKNOWN_CHANGE,
    UNKNOWN_DEFAULT,
    Advice,
)
from capsize.report.warning_signs import SIGNS, Sign
from capsize.report.wording import count, percent, seconds

Urgency = Literal["critical", "improve", "repeat"]
"""A defect or a critical sign; something to improve; a run that proved too little and is to be repeated."""

URGENCIES: tuple[Urgency, ...] = ("critical", "improve", "repeat")


class Recommendation(msgspec.Struct, frozen=True, kw_only=True):
    """What a run gives reason to do: what was seen, what usually causes it, and what to change.

    ``about`` is the claim or anomaly that it is about, ``sign`` the warning sign that was met, if any.
    """

    about: str
    urgency: Urgency
    title: str
    cause: str
    change: str
    sign: str = ""


def recommendations(judgement: Judgement | None) -> tuple[Recommendation, ...]:
    """Return what a run gives reason to do, the most urgent first; one for each claim or anomaly."""
    if judgement is None:
        return ()
    found: dict[str, Recommendation] = {}
    for one in [*_anomalies(judgement), *_claims(judgement), *_signs(judgement)]:
        found.setdefault(one.about, one)
    return tuple(sorted(found.values(), key=lambda one: URGENCIES.index(one.urgency)))


def _anomalies(judgement: Judgement) -> Iterator[Recommendation]:
    """Yield what follows from the findings: a story is the strongest reason."""
    numbers: dict[str, int] = {}
    for finding in judgement.findings:
        numbers[finding.anomaly] = numbers.get(finding.anomaly, 0) + 1
    results = {result.checker: result for result in judgement.results}
    for anomaly, number in numbers.items():
        advice, own = ANOMALY_ADVICE.get(anomaly), results.get(anomaly)
        if advice is not None:
            title = f"{advice.title} ({count(number, 'finding')})"
            yield _of(anomaly, "critical", title, advice, _sign(own) if own else "")


def _claims(judgement: Judgement) -> Iterator[Recommendation]:
    """Yield what follows from claims that did not hold, or could not be judged."""
    for result in judgement.results:
        urgency = _urgency(result)
        if urgency is not None:
            advice = _broken(result)
            yield _of(result.checker, urgency, advice.title, advice, _sign(result))
    yield from _open(tuple(one for one in judgement.results if one.verdict is Verdict.UNKNOWN))


def _open(results: tuple[Result, ...]) -> Iterator[Recommendation]:
    """Yield what follows from claims that were left open: not the same again for each of them.

    A run that did not come to its end leaves everything open, and there is one thing to do about it.
    """
    ended = tuple(result for result in results if result.checker == "ended")
    known = ended or tuple(result for result in results if result.checker in UNKNOWN_CHANGE)
    for result in known:
        advice = _left_open(result)
        yield _of(result.checker, "repeat", advice.title, advice, _sign(result))
    rest = [] if ended else [result for result in results if result not in known]
    if rest:
        names = ", ".join(result.checker for result in rest)
        cause = "; ".join(dict.fromkeys(result.summary for result in rest))
        advice = Advice(title=f"Left open: {names}", cause=cause, change=UNKNOWN_DEFAULT)
        yield _of(rest[0].checker, "repeat", advice.title, advice)


def _left_open(result: Result) -> Advice:
    title = f"{result.checker} was left open"
    return Advice(title=title, cause=result.summary, change=UNKNOWN_CHANGE[result.checker])


def _broken(result: Result) -> Advice:
    """Return the table's line; a claim that is not capsize's own has none."""
    known = CLAIM_ADVICE.get(result.checker) or ANOMALY_ADVICE.get(result.checker)
    return known or Advice(
        title=f"{result.checker} does not hold",
        cause=result.summary,
        change="This claim is of a scenario's own: its author knows what to do.",
    )


def _sign(result: Result) -> str:
    """Return the warning sign that a claim's figures are, empty for none."""
    return next((sign.text for sign in SIGNS if sign.checker == result.checker and _met(sign, result)), "")


def _urgency(result: Result) -> Urgency | None:
    by_verdict: dict[Verdict, Urgency] = {Verdict.FAIL: "critical", Verdict.PARTIAL: "improve"}
    return by_verdict.get(result.verdict)


def _signs(judgement: Judgement) -> Iterator[Recommendation]:
    """Yield what follows from figures that are warning signs though the claim holds at this level."""
    results = {result.checker: result for result in judgement.results}
    for sign in SIGNS:
        result = results.get(sign.checker)
        if result is None or not _met(sign, result):
            continue
        advice = CLAIM_ADVICE.get(sign.checker) or ANOMALY_ADVICE[sign.checker]
        told = f"{advice.title}: {_figure(sign, result)}"
        yield _of(sign.checker, sign.urgency, told, advice, sign.text)


def _met(sign: Sign, result: Result) -> bool:
    value = _value(sign, result)
    if value is None:
        return False
    return (sign.above is None or value > sign.above) and (sign.below is None or value < sign.below)


def _value(sign: Sign, result: Result) -> float | None:
    """Return the figure that a sign looks at, None when it was not taken."""
    value = _number(result.measures.get(sign.measure))
    if value is None or sign.per is None:
        return value
    whole = _number(result.measures.get(sign.per))
    return value / whole if whole else None


def _number(value: object) -> float | None:
    return None if isinstance(value, bool) or not isinstance(value, int | float) else float(value)


def _figure(sign: Sign, result: Result) -> str:
    value = _value(sign, result) or 0.0
    if sign.measure.endswith("_s"):
        return seconds(value)
    return percent(value) if sign.per or sign.measure.endswith("_ratio") else f"{value:g}"


def _of(about: str, urgency: Urgency, title: str, advice: Advice, sign: str = "") -> Recommendation:
    return Recommendation(
        about=about, urgency=urgency, title=title, cause=advice.cause, change=advice.change, sign=sign
    )
