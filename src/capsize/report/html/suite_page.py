"""Many runs as one page."""

from __future__ import annotations

from collections.abc import Mapping

import msgspec

from capsize.core.verdict import Verdict
from capsize.report.advice import Recommendation, recommendations
from capsize.report.html.rendering import render
from capsize.report.measures import headline, number
from capsize.report.model import RunReport, Summary
from capsize.report.repeats import repeats
from capsize.report.wording import count, percent, status

SCRIPTS = ("static/common.js",)
STYLES = ("static/report.css",)


class Line(msgspec.Struct, frozen=True, kw_only=True):
    """One run in the table; figures that were not taken are None. ``link`` leads to its own page."""

    scenario: str
    level: int
    seed: int
    status: str
    rank: int
    headline: str
    broken: tuple[str, ...]
    completion: float | None
    success: float | None
    recovery: float | None
    duration_s: float
    link: str
    replay: str


class Cell(msgspec.Struct, frozen=True, kw_only=True):
    """The runs of one scenario at one level: how many passed, and the worst status."""

    text: str
    worst: str


def suite(whole: Summary, links: Mapping[str, str], *, title: str = "Chaos testing") -> str:
    """Return the page of many runs. ``links`` maps a run directory to its page, as seen from this one."""
    lines = tuple(_line(run, links) for run in whole.runs)
    levels = sorted({line.level for line in lines})
    return render(
        "suite.html.j2",
        SCRIPTS,
        STYLES,
        title=f"{title}: {whole.verdict.name}",
        heading=title,
        whole=whole,
        status=whole.verdict.name,
        said=_said(whole),
        counts=_counts(whole),
        lines=lines,
        levels=levels,
        matrix=_matrix(lines, levels),
        repeats=repeats(whole),
        advice=_advice(whole),
        slowest=max((line.recovery or 0.0 for line in lines), default=0.0) or 1.0,
    )


def _line(run: RunReport, links: Mapping[str, str]) -> Line:
    result, judgement = run.result, run.result.judgement

    def figure(checker: str, name: str) -> float | None:
        return number(judgement, checker, name) if judgement else None

    bad = [one for one in (judgement.results if judgement else ()) if one.verdict is not Verdict.PASS]
    return Line(
        scenario=result.scenario,
        level=result.level,
        seed=result.seed,
        status=status(result),
        rank=-1 if result.skipped else int(result.verdict),
        headline=headline(result),
        broken=tuple(one.checker for one in sorted(bad, key=lambda one: -int(one.verdict))),
        completion=figure("completion", "completion_ratio"),
        success=figure("availability", "api_success_ratio"),
        recovery=figure("recovery", "recovery_max_s"),
        duration_s=result.duration_s,
        link=links.get(result.run_dir or "", ""),
        replay=run.replay,
    )


def _said(whole: Summary) -> str:
    ran = len(whole.runs) - whole.skipped
    ratio = whole.success_ratio
    share = "none ran" if ratio is None else percent(ratio)
    return f"{whole.counted(Verdict.PASS)} of {count(ran, 'run')} passed ({share}), {whole.duration_s:.0f} s in all."


def _counts(whole: Summary) -> tuple[tuple[str, int], ...]:
    rows = [(verdict.name, whole.counted(verdict)) for verdict in Verdict]
    rows += [("SKIPPED", whole.skipped - whole.invalid), ("ERROR", whole.invalid)]
    return tuple((name, number) for name, number in rows if number)


def _matrix(lines: tuple[Line, ...], levels: list[int]) -> dict[str, list[Cell | None]]:
    """Return a row for each scenario with a cell for each level; None where nothing ran."""
    found: dict[str, dict[int, list[Line]]] = {}
    for line in lines:
        found.setdefault(line.scenario, {}).setdefault(line.level, []).append(line)
    return {name: [_cell(by_level.get(level, [])) for level in levels] for name, by_level in found.items()}


def _cell(lines: list[Line]) -> Cell | None:
    if not lines:
        return None
    worst = max(lines, key=lambda line: line.rank)
    passed = sum(line.status == Verdict.PASS.name for line in lines)
    return Cell(text=worst.status if len(lines) == 1 else f"{passed}/{len(lines)}", worst=worst.status)


def _advice(whole: Summary) -> tuple[Recommendation, ...]:
    """Return what all runs together give reason to do, each piece of advice once."""
    found: dict[str, Recommendation] = {}
    for run in whole.runs:
        for one in recommendations(run.result.judgement):
            found.setdefault(one.about, one)
    order = ("critical", "improve", "repeat")
    return tuple(sorted(found.values(), key=lambda one: order.index(one.urgency)))
