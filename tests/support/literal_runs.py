"""Runs written out by hand, for everything that reads results, plans and histories."""

from __future__ import annotations

from pathlib import Path

from capsize.core.events import (
    Event,
    InstanceChanged,
    Noted,
    Op,
    PhaseChanged,
    RunBegan,
    RunEnded,
    Struck,
    Witnessed,
)
from capsize.core.experiment import Experiment, Phase, PlannedStrike, Spec, Target
from capsize.core.history import History
from capsize.core.levels import level
from capsize.core.verdict import Finding, Judgement, Result, ScenarioResult, Verdict, worst
from capsize.journal import Journal
from capsize.rundir import RunDirectory

STORY = ("1.000 submitted by client-1", "1.020 acknowledged (201)", "2.000 worker-1 started attempt 1")


def finding(task: str = "t1", anomaly: str = "lost") -> Finding:
    """Return an anomaly of one task with a story of three lines."""
    return Finding(
        anomaly=anomaly,
        message=f"task {task} was acknowledged and never finished",
        task=task,
        story=STORY,
    )


def completion(ratio: float = 1.0, verdict: Verdict = Verdict.PASS) -> Result:
    """Return what the completion checker says."""
    return Result(
        checker="completion",
        verdict=verdict,
        summary=f"{ratio:.0%} of 10 tasks completed in time",
        measures={"completion_ratio": ratio},
    )


def retries(number: int) -> Result:
    """Return what the retry checker says."""
    return Result(
        checker="retries", verdict=Verdict.PASS, summary="tasks ran again", measures={"retries": number}
    )


def lost(*findings: Finding) -> Result:
    """Return what the delivery checker says when it found something."""
    return Result(
        checker="lost",
        verdict=Verdict.FAIL if findings else Verdict.PASS,
        summary=f"{len(findings)} of 10 acknowledged tasks were lost",
        findings=findings,
    )


def judged(*results: Result, scenario: str = "multi-worker-chaos", number: int = 3) -> Judgement:
    """Return the judgement that these results make."""
    verdict = worst(result.verdict for result in results)
    return Judgement(scenario=scenario, level=number, seed=42, verdict=verdict, results=results)


def result(
    *results: Result,
    scenario: str = "multi-worker-chaos",
    time_scale: float = 1.0,
    run_dir: str | None = "runs/one",
) -> ScenarioResult:
    """Return a scenario that ran and was judged by these results."""
    judgement = judged(*results, scenario=scenario)
    return ScenarioResult(
        scenario=scenario,
        level=3,
        seed=42,
        verdict=judgement.verdict,
        duration_s=46.2,
        run_dir=run_dir,
        time_scale=time_scale,
        judgement=judgement,
    )


def skipped(scenario: str = "db-failure", reason: str = "nothing can be stopped here") -> ScenarioResult:
    """Return a scenario that did not run."""
    return ScenarioResult(
        scenario=scenario,
        level=3,
        seed=42,
        verdict=Verdict.UNKNOWN,
        duration_s=0.0,
        skipped=True,
        reason=reason,
    )


def experiment(**changes: object) -> Experiment:
    """Return a small plan with one strike and no claims but that the run ended."""
    fields: dict[str, object] = {
        "scenario": "worker-restart",
        "purpose": "Tasks survive the restart of their worker",
        "level": level(1),
        "seed": 7,
        "replicas": {"api": 1, "worker": 2},
        "phases": (Phase(name="steady", limit_s=5.0), Phase(name="chaos", limit_s=30.0)),
        "strikes": (
            PlannedStrike(id="s1", at_s=1.0, fault=Spec(name="kill"), target=Target(service="worker")),
        ),
        "checkers": (Spec(name="ended"),),
    }
    return Experiment(**(fields | changes))  # type: ignore[arg-type]


def probe(t: float, good: bool) -> Op:
    """Return one look of the availability probe."""
    return Op(
        t=t, call="ready", client="probe", outcome="ok" if good else "fail", planned=t - 0.01, sent=t - 0.01
    )


def events(*, whole: bool = True) -> list[Event]:
    """Return a run with one strike on a worker and a short outage of the API; cut off unless ``whole``."""
    told: list[Event] = [
        RunBegan(
            t=0.0,
            run="one",
            scenario="worker-restart",
            level=1,
            seed=7,
            wall=1e9,
            platform="local",
            system="starter",
        ),
        PhaseChanged(t=1.0, phase="steady", what="begin"),
        *(probe(1.0 + number / 10, True) for number in range(1, 4)),
        PhaseChanged(t=2.0, phase="steady", what="end", why="steady"),
        PhaseChanged(t=2.0, phase="chaos", what="begin"),
        Op(t=2.1, call="submit", client="c", outcome="ok", planned=2.0, sent=2.0, task="t1", key="k1"),
        Op(t=2.2, call="submit", client="c", outcome="info", planned=2.1, sent=2.1, key="k2"),
        Op(t=2.3, call="api:me", client="a", outcome="ok", planned=2.2, sent=2.2, status=200),
        Op(t=2.4, call="api:me", client="a", outcome="fail", planned=2.3, sent=2.3, status=503),
        Witnessed(t=2.5, task="t1", event="started", attempt=1, worker="worker-1"),
        Struck(t=3.0, strike="s1", stage="begin", fault="kill", victims=("worker-1",)),
        InstanceChanged(t=3.1, instance="worker-1", service="worker", state="exited", pid=11, code=-9),
        Struck(t=3.11, strike="s1", stage="landed", fault="kill", victims=("worker-1",)),
        probe(3.2, False),
        probe(3.3, False),
        probe(3.4, True),
        probe(3.5, False),
    ]
    if whole:
        told += [
            *(probe(4.0 + number / 10, True) for number in range(4)),
            InstanceChanged(t=4.5, instance="worker-1", service="worker", state="ready", pid=12),
            Struck(t=4.6, strike="s1", stage="healed", fault="kill", victims=("worker-1",)),
            Witnessed(t=5.0, task="t1", event="started", attempt=2, worker="worker-2"),
            Witnessed(t=7.0, task="t1", event="recorded", attempt=2, worker="worker-2"),
            Noted(t=7.1, level="warning", message="the send queue was long for a moment"),
            Noted(t=7.2, level="info", message="nothing of interest"),
            PhaseChanged(t=7.5, phase="chaos", what="end", why="settled"),
            RunEnded(t=8.0, how="completed"),
        ]
    return told


def history(*, whole: bool = True) -> History:
    """Return the run of :func:`events` as a history."""
    return History(events(whole=whole))


def write_run(output: Path, *, whole: bool = True, torn: bool = False) -> RunDirectory:
    """Write the run of :func:`events` as a run directory; ``torn`` cuts its last line in the middle."""
    directory = RunDirectory.create(output, experiment())
    journal = Journal(directory.history_path)
    for event in events(whole=whole):
        journal.record(event)
    journal.close()
    if torn:
        with directory.history_path.open("ab") as file:
            file.write(b'{"kind":"op","t":3.6,"cal')
    return directory
