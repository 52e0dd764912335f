"""Several runs of one scenario with different seeds: how often it passed, how far its figures spread, which was worst."""

from __future__ import annotations

import statistics
from collections.abc import Iterable, Sequence

import msgspec

from capsize.checkers.figures import wilson
from capsize.core.verdict import Verdict
from capsize.report.measures import number
from capsize.report.model import RunReport, Summary
from capsize.report.wording import count, interval, percent, seconds, status

FIGURES = (
    ("Tasks completed", "completion", "completion_ratio"),
    ("Recovery max", "recovery", "recovery_max_s"),
    ("API success", "availability", "api_success_ratio"),
)
"""The figures whose spread is told: their title, the checker and its measure."""


class Spread(msgspec.Struct, frozen=True, kw_only=True):
    """The least, the middle and the greatest value of one figure over the runs that have it."""

    title: str
    figure: str
    runs: int
    least: float
    median: float
    most: float

    @property
    def text(self) -> str:
        """Return it for a reader."""
        form = seconds if self.figure.endswith("_s") else percent
        return f"min {form(self.least)}, median {form(self.median)}, max {form(self.most)}"


class Repeated(msgspec.Struct, frozen=True, kw_only=True):
    """One scenario at one level over its seeds. ``title`` names the level where there are several. ``pass_low`` and ``pass_high`` are the 95% interval of the pass rate by Wilson.

    Only PASS counts as passed. ``worst_*`` tell of the run with the worst verdict; among those with the same,
    of the one with the least completion, then the least API success, then the longest recovery.
    """

    scenario: str
    level: int
    title: str
    ran: int
    passed: int
    pass_low: float
    pass_high: float
    verdicts: dict[str, int]
    spreads: tuple[Spread, ...]
    worst_seed: int
    worst_status: str
    worst_replay: str

    @property
    def pass_ratio(self) -> float:
        """Return the share of runs that passed."""
        return self.passed / self.ran

    @property
    def rate(self) -> str:
        """Return the pass rate with its interval, for a reader."""
        others = [f"{number} {name}" for name, number in self.verdicts.items() if name != Verdict.PASS.name]
        told = f"{self.passed} of {count(self.ran, 'run')} passed, {percent(self.pass_ratio)}"
        return f"{told} ({'; '.join([interval(self.pass_low, self.pass_high), *others])})"


def repeats(whole: Summary) -> tuple[Repeated, ...]:
    """Return the scenarios that ran with more than one seed at a level, in the order of the summary."""
    by_plan: dict[tuple[str, int], list[RunReport]] = {}
    for run in whole.runs:
        if not run.result.skipped:
            by_plan.setdefault((run.result.scenario, run.result.level), []).append(run)
    levels = {level for _, level in by_plan}
    return tuple(
        _repeated(name, level, f"{name} level {level}" if len(levels) > 1 else name, runs)
        for (name, level), runs in by_plan.items()
        if len({run.result.seed for run in runs}) > 1
    )


def _repeated(scenario: str, level: int, title: str, runs: Sequence[RunReport]) -> Repeated:
    passed = sum(run.result.verdict is Verdict.PASS for run in runs)
    low, high = wilson(passed, len(runs))
    worst = max(runs, key=_badness)
    said = [status(run.result) for run in runs]
    return Repeated(
        scenario=scenario,
        level=level,
        title=title,
        ran=len(runs),
        passed=passed,
        pass_low=round(low, 4),
        pass_high=round(high, 4),
        verdicts={name: said.count(name) for name in dict.fromkeys(sorted(said))},
        spreads=tuple(_spreads(runs)),
        worst_seed=worst.result.seed,
        worst_status=status(worst.result),
        worst_replay=worst.replay,
    )


def _spreads(runs: Sequence[RunReport]) -> Iterable[Spread]:
    for title, checker, figure in FIGURES:
        values = [value for run in runs if (value := _figure(run, checker, figure)) is not None]
        if values:
            yield Spread(
                title=title,
                figure=figure,
                runs=len(values),
                least=min(values),
                median=round(statistics.median(values), 6),
                most=max(values),
            )


def _badness(run: RunReport) -> tuple[float, ...]:
    completion = _figure(run, "completion", "completion_ratio")
    success = _figure(run, "availability", "api_success_ratio")
    recovery = _figure(run, "recovery", "recovery_max_s")
    return (
        float(run.result.verdict),
        -(1.0 if completion is None else completion),
        -(1.0 if success is None else success),
        recovery or 0.0,
    )


def _figure(run: RunReport, checker: str, figure: str) -> float | None:
    judgement = run.result.judgement
    return None if judgement is None else number(judgement, checker, figure)
