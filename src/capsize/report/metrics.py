"""The figures of runs for Prometheus, in its text format 0.0.4."""

from __future__ import annotations

import math
from collections.abc import Iterable, Sequence

from capsize.checkers.answers import cut_short, held_back
from capsize.core.events import Op, PhaseChanged, Sample, Struck, Witnessed
from capsize.core.experiment import Experiment
from capsize.core.history import History
from capsize.core.verdict import Judgement, Verdict
from capsize.report.progress import Progress

CONTENT_TYPE = "text/plain; version=0.0.4; charset=utf-8"
RUNS_MAX = 50
"""So many runs are told by one answer: a label of its own for each must not grow without end."""
BUCKETS_S = (0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0, 2.5, 5.0, 10.0)

Told = tuple[str, Experiment, History]
Sampled = tuple[str, dict[str, str], float]
"""A sample: what is put behind the family's name, its labels, its value."""


def exposition(runs: Sequence[Told], judgements: dict[str, Judgement] | None = None) -> str:
    """Return the figures of runs, each with its name, scenario, level and seed as labels."""
    families: dict[str, tuple[str, str, list[Sampled]]] = {}
    for name, experiment, history in runs:
        labels = {
            "run": name,
            "scenario": experiment.scenario,
            "level": str(experiment.level.number),
            "seed": str(experiment.seed),
        }
        judgement = (judgements or {}).get(name)
        for family, kind, help_, samples in _families(history, judgement):
            _, _, kept = families.setdefault(family, (kind, help_, []))
            kept += [(suffix, labels | more, value) for suffix, more, value in samples]
    return "".join(_family(name, *family) for name, family in families.items())


def _families(history: History, judgement: Judgement | None) -> Iterable[tuple[str, str, str, list[Sampled]]]:
    progress = Progress()
    for event in history:
        progress.observe(event)
    yield (
        "capsize_run_seconds",
        "gauge",
        "How long the run went on, as far as it is recorded.",
        [("", {}, history.end_s)],
    )
    ended = 1.0 if history.ended is not None else 0.0
    yield "capsize_run_ended", "gauge", "1 when the run came to an end, in whatever way.", [("", {}, ended)]
    yield (
        "capsize_tasks_accepted",
        "gauge",
        "Tasks that the service acknowledged.",
        [("", {}, len(progress.accepted))],
    )
    done = len(progress.done & progress.accepted)
    yield (
        "capsize_tasks_done",
        "gauge",
        "Accepted tasks whose result the witness saw recorded.",
        [("", {}, done)],
    )
    runs = sum(event.event == "started" for event in history.of(Witnessed))
    yield "capsize_task_runs", "gauge", "Runs of tasks that workers began.", [("", {}, runs)]
    yield "capsize_task_retries", "gauge", "Runs of tasks beyond their first.", [("", {}, progress.retries)]
    stages = ("landed", "healed", "missed", "failed", "heal_failed", "not_carried_out")
    yield (
        "capsize_strikes",
        "gauge",
        "Strikes by what became of them.",
        [("", {"stage": stage}, progress.strikes[stage]) for stage in stages],
    )
    yield (
        "capsize_strikes_open",
        "gauge",
        "Strikes that landed and are not healed yet.",
        [("", {}, _open(history))],
    )
    yield (
        "capsize_phase_began_seconds",
        "gauge",
        "When each phase began, in seconds of the run.",
        [
            ("", {"phase": event.phase}, event.t)
            for event in history.of(PhaseChanged)
            if event.what == "begin"
        ],
    )
    yield "capsize_api_calls", "gauge", "Calls of the API load by outcome.", _calls(history)
    yield (
        "capsize_api_latency_seconds",
        "histogram",
        "From when a call was due to its answer.",
        _latencies(history),
    )
    yield (
        "capsize_queue_tasks",
        "gauge",
        "Tasks by state at the last look at the service's own counts.",
        _queue(history),
    )
    if judgement is not None:
        yield (
            "capsize_verdict",
            "gauge",
            "1 for the verdict of the run, 0 for the others.",
            [("", {"verdict": one.name}, float(judgement.verdict is one)) for one in Verdict],
        )
        yield (
            "capsize_claim_verdict",
            "gauge",
            "0 PASS, 1 PARTIAL, 2 UNKNOWN, 3 FAIL, by claim; the worst of several of one kind.",
            [("", {"claim": claim}, float(value)) for claim, value in _claims(judgement).items()],
        )


def _open(history: History) -> int:
    landed = {event.strike for event in history.of(Struck) if event.stage == "landed"}
    return len(
        landed - {event.strike for event in history.of(Struck) if event.stage in ("healed", "heal_failed")}
    )


def _api(history: History) -> list[Op]:
    return [
        op for op in history.of(Op) if op.call.startswith("api:") and not (held_back(op) or cut_short(op))
    ]


def _calls(history: History) -> list[Sampled]:
    calls = _api(history)
    return [("", {"outcome": one}, sum(op.outcome == one for op in calls)) for one in ("ok", "fail", "info")]


def _latencies(history: History) -> list[Sampled]:
    found = [op.t - op.planned for op in _api(history)]
    rows: list[Sampled] = [
        ("_bucket", {"le": repr(limit)}, sum(value <= limit for value in found)) for limit in BUCKETS_S
    ]
    return [
        *rows,
        ("_bucket", {"le": "+Inf"}, len(found)),
        ("_sum", {}, sum(found)),
        ("_count", {}, len(found)),
    ]


def _queue(history: History) -> list[Sampled]:
    looks = [event for event in history.of(Sample) if event.probe == "stats" and event.error is None]
    return [
        ("", {"state": name}, float(value))
        for name, value in (looks[-1].values.items() if looks else ())
        if isinstance(value, int | float)
    ]


def _claims(judgement: Judgement) -> dict[str, int]:
    worst: dict[str, int] = {}
    for result in judgement.results:
        worst[result.checker] = max(worst.get(result.checker, 0), int(result.verdict))
    return worst


def _family(name: str, kind: str, help_: str, samples: list[Sampled]) -> str:
    lines = [f"# HELP {name} {help_}", f"# TYPE {name} {kind}"]
    for suffix, labels, value in samples:
        told = ",".join(f'{label}="{_escaped(text)}"' for label, text in labels.items())
        lines.append(f"{name}{suffix}{{{told}}} {_number(value)}")
    return "\n".join(lines) + "\n"


def _escaped(text: str) -> str:
    return text.replace("\\", "\\\\").replace('"', '\\"').replace("\n", "\\n")


def _number(value: float) -> str:
    return (
        repr(float(value))
        if math.isfinite(value)
        else "NaN"
        if math.isnan(value)
        else f"{'+' if value > 0 else '-'}Inf"
    )
