"""The facts at the head and the foot of a run's page."""

from __future__ import annotations

from datetime import UTC, datetime

from capsize.core.experiment import Experiment
from capsize.core.history import History
from capsize.core.verdict import Verdict
from capsize.report.measures import key_figures, number
from capsize.report.model import RunReport
from capsize.report.wording import count, seconds

TOLD_FIRST = 4
"""So many of the claims that do not hold are named beside the verdict."""

Rows = tuple[tuple[str, str], ...]


def why(report: RunReport) -> tuple[tuple[str, str, str], ...]:
    """Return why the verdict is what it is: (verdict, claim, sentence), the claims that decided it.

    A run that passed is told by what it proved: what landed, what became of the work.
    """
    judgement = report.result.judgement
    if judgement is None:
        return ((report.result.verdict.name, "", report.result.reason or "It was not judged."),)
    bad = [result for result in judgement.results if result.verdict is not Verdict.PASS]
    bad.sort(key=lambda result: -int(result.verdict))
    cut = [one for one in bad if one.checker == "ended" and one.verdict is Verdict.UNKNOWN]
    if cut and bad[0].verdict is Verdict.UNKNOWN:
        also = f"{count(len(bad) - 1, 'more claim is', 'more claims are')} open because of that"
        return (("UNKNOWN", "ended", cut[0].summary), *([("", "", also)] if len(bad) > 1 else []))
    if bad:
        told = [(one.verdict.name, one.checker, one.summary) for one in bad[:TOLD_FIRST]]
        more = len(bad) - len(told)
        return (*told, *([("", "", f"and {count(more, 'more claim')} below")] if more else []))
    proved = ("landed", "lost", "overlap", "completion")
    by_name = {result.checker: result for result in judgement.results}
    said = [by_name[name].summary for name in proved if name in by_name]
    held = f"All {count(len(judgement.results), 'claim')} held"
    return (("PASS", "", f"{held}: {'; '.join(said)}." if said else f"{held}."),)


def facts(report: RunReport, history: History) -> Rows:
    """Return the line of facts under the verdict."""
    result, began = report.result, history.began
    rows = [("Level", f"{result.level}{' ' + report.level_name if report.level_name else ''}")]
    rows += [("Seed", str(result.seed)), ("Took", f"{result.duration_s:.1f} s")]
    if began is not None:
        rows.append(("Began", f"{datetime.fromtimestamp(began.wall, UTC):%Y-%m-%d %H:%M:%S} UTC"))
    if report.platform:
        rows.append(("On", " / ".join(name for name in (report.system, report.platform) if name)))
    return tuple(rows)


def tiles(report: RunReport) -> tuple[tuple[str, str, str], ...]:
    """Return the figures that matter most: name, value, and what is to be known beside it."""
    judgement = report.result.judgement
    if judgement is None:
        return ()
    rows = []
    for name, text in key_figures(judgement):
        value, _, rest = text.partition(", " if name == "Redelivered" else " (")
        if name == "Recovery":
            longest = number(judgement, "recovery", "recovery_max_s")
            median = number(judgement, "recovery", "recovery_p50_s")
            value = seconds(longest) if longest is not None else value
            rest = f"at most; median {seconds(median)}" if median is not None else ""
        rows.append((name, value, rest.removesuffix(")")))
    landed = number(judgement, "landed", "landed")
    if landed is not None:
        live = number(judgement, "landed", "landed_live")
        planned = report.so_far.strikes_planned
        rows.append(("Strikes landed", f"{landed:g} of {planned}", f"{live or 0:g} on work in progress"))
    return tuple(rows)


def environment(
    report: RunReport, experiment: Experiment | None, history: History
) -> tuple[tuple[str, Rows], ...]:
    """Return the tables at the foot: (title, rows), only those with something in them."""
    began = history.began
    tables: list[tuple[str, Rows]] = []
    made: list[tuple[str, str]] = [("system", report.system), ("platform", report.platform)]
    made += sorted(began.versions.items()) if began else []
    tables.append(("Made with", tuple((name, text) for name, text in made if text)))
    if experiment is not None:
        level = experiment.level
        tables.append(
            (
                f"Level {level.number}",
                (
                    ("purpose", level.purpose),
                    ("workers", str(level.workers)),
                    ("tasks", f"{level.tasks} of {level.task_delay_s:g} s"),
                    ("deadline", f"{level.deadline_s:g} s{'' if level.deadline_binds else ', soft'}"),
                    ("between strikes", f"{level.interval_s[0]:g} to {level.interval_s[1]:g} s"),
                    ("completion asked", f"{level.completion_min:.0%} to {level.completion_max:.0%}"),
                    ("API success asked", f"{level.api_success_min:.0%}"),
                    ("time scale", f"{level.time_scale:g}"),
                ),
            )
        )
        tables.append(("Replicas", tuple((name, str(n)) for name, n in experiment.replicas.items())))
        tables.append(("Settings of the service", tuple(sorted(experiment.settings.items()))))
        told = tuple((f"{n}.", text) for n, text in enumerate(experiment.hypothesis.told, start=1))
        tables.append(("Steady state", told))
    return tuple((title, rows) for title, rows in tables if rows)
