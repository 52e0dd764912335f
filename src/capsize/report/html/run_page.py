"""One run as one page."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import Any

import msgspec

from capsize.core.experiment import Experiment
from capsize.core.history import History
from capsize.core.verdict import Finding, Judgement, Result, Verdict
from capsize.report.advice import recommendations
from capsize.report.advice_table import ANOMALY_ADVICE
from capsize.report.charts import charts
from capsize.report.charts.phases import phase_rows
from capsize.report.charts.strikes import recovery_rows
from capsize.report.html.facts import environment, facts, tiles, why
from capsize.report.html.rendering import UPLOT, UPLOT_STYLE, embedded, render
from capsize.report.logs import LogLine, Logs, story_times
from capsize.report.model import RunReport
from capsize.report.wording import status

FINDINGS_MAX = 200
"""So many findings are in the page, those of each anomaly alike; ``verdict.json`` has them all."""
MOMENTS_MAX = 400
SCRIPTS = (UPLOT, "static/common.js", "static/charts.js")
STYLES = (UPLOT_STYLE, "static/report.css")


class Told(msgspec.Struct, frozen=True, kw_only=True):
    """One finding as the page tells it: with the log lines of its moment, and from when to when it was."""

    id: str
    finding: Finding
    logs: tuple[LogLine, ...]
    begin: float | None
    end: float | None


class Group(msgspec.Struct, frozen=True, kw_only=True):
    """The findings of one anomaly: those that are told, and how many there are."""

    anomaly: str
    title: str
    total: int
    told: tuple[Told, ...]


def run(
    report: RunReport,
    experiment: Experiment | None = None,
    history: History | None = None,
    logs: Logs | None = None,
) -> str:
    """Return the page of one run, from as much of it as there is."""
    history = History(()) if history is None else history
    judgement = report.result.judgement
    groups = _groups(judgement, Logs() if logs is None else logs)
    pictures = charts(experiment, history, judgement)
    recoveries, load = recovery_rows(experiment, history), _load(pictures.lanes, history)
    return render(
        "run.html.j2",
        SCRIPTS,
        STYLES,
        title=f"{report.result.scenario}: {status(report.result)}",
        report=report,
        result=report.result,
        status=status(report.result),
        why=why(report),
        facts=facts(report, history),
        tiles=tiles(report),
        results=_ordered(judgement),
        advice=recommendations(judgement),
        groups=groups,
        charts=pictures,
        phases=phase_rows(history),
        recoveries=recoveries,
        longest=max((one.took_s or 0.0 for one in recoveries), default=0.0) or 1.0,
        load=load,
        most=max((one["runs"] for one in load), default=0) or 1,
        moments=report.timeline[:MOMENTS_MAX],
        environment=environment(report, experiment, history),
        made=_made(history),
        data=embedded(
            {
                "charts": pictures,
                "findings": {
                    one.finding.task: one.id for group in groups for one in group.told if one.finding.task
                },
            }
        ),
    )


def _ordered(judgement: Judgement | None) -> tuple[Result, ...]:
    """Return the claims, the worst first and otherwise in their order."""
    results = judgement.results if judgement else ()
    return tuple(sorted(results, key=lambda result: -int(result.verdict)))


def _groups(judgement: Judgement | None, logs: Logs) -> tuple[Group, ...]:
    """Return the findings by anomaly; those with a story come first, since they can be read."""
    by_anomaly: dict[str, list[Finding]] = {}
    for finding in judgement.findings if judgement else ():
        by_anomaly.setdefault(finding.anomaly, []).append(finding)
    share = max(1, FINDINGS_MAX // max(1, len(by_anomaly)))
    first = {
        anomaly: sorted(found, key=lambda finding: not finding.story)[:share]
        for anomaly, found in by_anomaly.items()
    }
    flat = [finding for found in first.values() for finding in found]
    lines = iter(logs.of_moments(flat))
    return tuple(
        Group(
            anomaly=anomaly,
            title=ANOMALY_ADVICE[anomaly].title if anomaly in ANOMALY_ADVICE else "",
            total=len(by_anomaly[anomaly]),
            told=tuple(_told(anomaly, number, finding, next(lines)) for number, finding in enumerate(found)),
        )
        for anomaly, found in first.items()
    )


def _told(anomaly: str, number: int, finding: Finding, lines: tuple[LogLine, ...]) -> Told:
    times = story_times(finding)
    return Told(
        id=f"finding-{''.join(c if c.isalnum() else '-' for c in anomaly)}-{number + 1}",
        finding=finding,
        logs=lines,
        begin=times[0] if times else None,
        end=times[-1] if times else None,
    )


def _load(lanes: tuple[Any, ...], history: History) -> list[dict[str, Any]]:
    """Return what each worker did: runs begun and finished, and its share of all runs."""
    from capsize.checkers.fleet import workers
    from capsize.checkers.lives import lives

    by_worker = lives(history).by_worker
    total = sum(len(runs) for runs in by_worker.values())
    up = {lane.name: lane.up_s for lane in lanes}
    return [
        {
            "name": name,
            "runs": len(by_worker.get(name, ())),
            "finished": sum(run.finished is not None for run in by_worker.get(name, ())),
            "lost": sum(run.how == "exited" for run in by_worker.get(name, ())),
            "share": len(by_worker.get(name, ())) / total if total else 0.0,
            "up_s": up.get(name),
        }
        for name in sorted(workers(history))
    ]


def _made(history: History) -> str:
    """Return when the run began, in UTC; empty when it never did."""
    began = history.began
    return f"{datetime.fromtimestamp(began.wall, UTC):%Y-%m-%d %H:%M:%S} UTC" if began else ""


__all__ = ["Verdict", "run"]
