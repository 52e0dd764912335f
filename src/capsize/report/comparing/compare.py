"""Two sides, scenario by scenario: each figure's change with its interval, as far as one can be had."""

from __future__ import annotations

import statistics
from collections.abc import Sequence

import msgspec

from capsize.checkers.spans import Span
from capsize.core.verdict import ScenarioResult
from capsize.report.comparing.figures import INTERVALS, TOLD, figures, how
from capsize.report.comparing.noise import rates, shift
from capsize.report.model import RunReport

RECOVERIES = "recovery_each_s"
"""The times of the single recoveries, which only a comparison of two runs looks at."""


class Side(msgspec.Struct, frozen=True, kw_only=True):
    """One side: its name, its runs, and for a single run the time of each of its recoveries."""

    name: str
    runs: tuple[RunReport, ...]
    recoveries: tuple[float, ...] = ()


class Change(msgspec.Struct, frozen=True, kw_only=True):
    """One figure on both sides; None where a side does not have it.

    ``low`` and ``high`` are the 95% interval of ``after - before``, None when the values are too few to say.
    ``basis`` says what the interval rests on.
    """

    figure: str
    before: float | None
    after: float | None
    n_before: int
    n_after: int
    low: float | None = None
    high: float | None = None
    basis: str = ""

    @property
    def change(self) -> float | None:
        """Return the difference."""
        return None if self.before is None or self.after is None else self.after - self.before

    @property
    def relative(self) -> float | None:
        """Return the difference as a share of what it was; infinite when it was nothing."""
        if self.before is None or self.change is None:
            return None
        if self.change == 0:
            return 0.0
        return self.change / abs(self.before) if self.before else float("inf") * self.change

    @property
    def sure(self) -> bool | None:
        """Return whether the interval leaves no change out; None when there is no interval."""
        return None if self.low is None or self.high is None else self.low > 0 or self.high < 0


class Compared(msgspec.Struct, frozen=True, kw_only=True):
    """One scenario at one level on both sides."""

    scenario: str
    level: int
    runs_before: int
    runs_after: int
    same_plans: bool
    changes: tuple[Change, ...]


class Comparison(msgspec.Struct, frozen=True, kw_only=True):
    """Both sides compared; what only one of them ran is named and not compared."""

    before: str
    after: str
    compared: tuple[Compared, ...]
    only_before: tuple[str, ...]
    only_after: tuple[str, ...]


def compare(before: Side, after: Side, figures_asked: Sequence[str] = ()) -> Comparison:
    """Compare two sides: the usual figures, and those that were asked for by name."""
    old, new = _groups(before), _groups(after)
    asked = tuple(dict.fromkeys((*TOLD, *figures_asked)))
    recoveries = (before.recoveries, after.recoveries)
    return Comparison(
        before=before.name,
        after=after.name,
        compared=tuple(_compared(key, old[key], new[key], asked, recoveries) for key in old if key in new),
        only_before=tuple(_named(key) for key in old if key not in new),
        only_after=tuple(_named(key) for key in new if key not in old),
    )


Key = tuple[str, int, float]


def _groups(side: Side) -> dict[Key, list[RunReport]]:
    """Return the runs that were carried out, by what makes them comparable."""
    found: dict[Key, list[RunReport]] = {}
    for run in side.runs:
        if not run.result.skipped:
            found.setdefault(_key(run.result), []).append(run)
    return found


def _key(result: ScenarioResult) -> Key:
    return result.scenario, result.level, result.time_scale


def _named(key: Key) -> str:
    scaled = "" if key[2] == 1 else f", scaled by {key[2]:g}"
    return f"{key[0]} level {key[1]}{scaled}"


def _compared(
    key: Key,
    old: list[RunReport],
    new: list[RunReport],
    asked: tuple[str, ...],
    recoveries: tuple[tuple[float, ...], tuple[float, ...]],
) -> Compared:
    a, b = [figures(run) for run in old], [figures(run) for run in new]
    changes = [_change(name, a, b) for name in asked if any(name in one for one in (*a, *b))]
    if all(recoveries):
        changes.append(_each_recovery(*recoveries))
    return Compared(
        scenario=key[0],
        level=key[1],
        runs_before=len(old),
        runs_after=len(new),
        same_plans=sorted(run.result.seed for run in old) == sorted(run.result.seed for run in new),
        changes=tuple(changes),
    )


def _change(name: str, a: list[dict[str, float]], b: list[dict[str, float]]) -> Change:
    old = [one[name] for one in a if name in one]
    new = [one[name] for one in b if name in one]
    span, basis = _interval(name, a, b, old, new)
    return Change(
        figure=name,
        before=_one(name, old),
        after=_one(name, new),
        n_before=len(old),
        n_after=len(new),
        low=None if span is None else round(span[0], 6),
        high=None if span is None else round(span[1], 6),
        basis=basis,
    )


def _interval(
    name: str, a: list[dict[str, float]], b: list[dict[str, float]], old: list[float], new: list[float]
) -> tuple[Span | None, str]:
    """Return the interval of a change and what it rests on: the runs, or the tasks and calls of a single one."""
    if how(name) == "worst":
        return None, ""
    span = shift(old, new)
    if span is not None:
        return span, f"{len(old)} and {len(new)} runs"
    root = INTERVALS.get(name)
    ends = (f"{root}_low", f"{root}_high")
    if (
        root is None
        or len(a) != 1
        or len(b) != 1
        or not all(end in side[0] for end in ends for side in (a, b))
    ):
        return None, ""
    spans = [(side[0][ends[0]], side[0][ends[1]]) for side in (a, b)]
    return rates(old[0], spans[0], new[0], spans[1]), "the tasks and calls of one run each"


def _each_recovery(old: tuple[float, ...], new: tuple[float, ...]) -> Change:
    """Return how the single recoveries of two runs compare: the nearest to a sample that one run has."""
    span = shift(old, new)
    return Change(
        figure=RECOVERIES,
        before=round(statistics.median(old), 4),
        after=round(statistics.median(new), 4),
        n_before=len(old),
        n_after=len(new),
        low=None if span is None else round(span[0], 4),
        high=None if span is None else round(span[1], 4),
        basis="" if span is None else "the recoveries of one run each",
    )


def _one(name: str, values: list[float]) -> float | None:
    if not values:
        return None
    match how(name):
        case "worst":
            return max(values)
        case "mean":
            return round(statistics.fmean(values), 6)
        case "median":
            return round(statistics.median(values), 6)
