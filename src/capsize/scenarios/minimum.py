"""The least time that an experiment can take: what its phases need when nothing is slow."""

from __future__ import annotations

from capsize.core.experiment import Experiment, LoadPlan, Phase


def least_s(experiment: Experiment) -> float:
    """Return the seconds that the phases must take at least, without starting and stopping the system.

    A phase that only time ends takes its limit; one that waits for the steady state takes what it must; one
    that waits for the work takes as long as a perfect service needs for the tasks that begin with it.
    """
    return sum(_phase_s(experiment, phase) for phase in experiment.phases)


def _phase_s(experiment: Experiment, phase: Phase) -> float:
    if phase.until == "elapsed":
        return phase.limit_s
    needed_s = _work_s(experiment, phase) if phase.until == "settled" else 0.0
    return min(phase.limit_s, max(phase.at_least_s, needed_s))


def _work_s(experiment: Experiment, phase: Phase) -> float:
    """Return how long the tasks that begin with a phase keep the workers, at one task a worker at a time."""
    loads = [load for load in experiment.loads if load.phases[:1] == (phase.name,)]
    spans = [_span_s(load) for load in loads if load.load.name == "tasks" and load.load.args.get("count")]
    total_s = sum(work for _, work in spans) / max(1, experiment.replicas.get("worker", 1))
    return max([total_s, *(last for last, _ in spans)])


def _span_s(plan: LoadPlan) -> tuple[float, float]:
    """Return when the last task of a load can be done at the earliest, and the work of all of them."""
    args = plan.load.args
    count, seconds = int(args["count"]), float(args.get("seconds", 1.0))
    last_s = float(args.get("after_s", 0.0)) + (count - 1) / float(args.get("rate", 50.0)) + seconds
    return last_s, count * seconds
