"""What can be claimed of a system that has less than the starter: what rests on the rest is left out."""

from __future__ import annotations

import msgspec

from capsize.core.experiment import Experiment, LoadPlan, Spec
from capsize.core.hypothesis import Hypothesis
from capsize.core.system import Lack

ON_THE_WITNESS = frozenset(
    {
        "duplicate", "overlap", "stuck", "misreported", "resurrected", "retries", "spread", "late", "pickup",
        "throughput", "queue", "scaling", "utilization",
    }
)  # fmt: skip
"""Claims that rest on what the workers announce."""
WITHOUT: dict[Lack, frozenset[str]] = {
    "tasks": ON_THE_WITNESS
    | {"lost", "completion", "reported", "unaccounted", "intact", "isolation", "dead_letters"},
    "witness": ON_THE_WITNESS,
    "cancel": frozenset(),
    "counts": frozenset({"unaccounted", "queue"}),
    "circuits": frozenset({"truthful_breaker"}),
    "content": frozenset({"intact"}),
    "database": frozenset({"database_load", "intact"}),
    "calls": frozenset(),
}
"""The claims that rest on each thing that a system may lack."""
PROBES: dict[Lack, frozenset[str]] = {
    "counts": frozenset({"stats"}),
    "circuits": frozenset({"breaker"}),
    "content": frozenset({"integrity"}),
    "database": frozenset({"database", "database_load", "integrity"}),
}


def reduced(experiment: Experiment, lacks: frozenset[Lack]) -> Experiment:
    """Return the experiment without the loads, probes, claims and tolerances that rest on what is lacking.

    Strikes are left in: what can't be struck makes the scenario one that can't run, and the runner says so.
    """
    claims = frozenset().union(*(WITHOUT[lack] for lack in lacks))
    probes = frozenset().union(*(PROBES.get(lack, frozenset()) for lack in lacks))
    return msgspec.structs.replace(
        experiment,
        loads=tuple(plan for plan in experiment.loads if not _impossible(plan, lacks)),
        probes=tuple(probe for probe in experiment.probes if probe.name not in probes),
        checkers=tuple(_claim(one, lacks) for one in experiment.checkers if one.name not in claims),
        hypothesis=_hypothesis(experiment.hypothesis, lacks),
        replicas={name: count for name, count in experiment.replicas.items() if name not in _absent(lacks)},
    )


def _absent(lacks: frozenset[Lack]) -> set[str]:
    """Return the services that such a system does not have."""
    return {name for name, lack in {"worker": "tasks", "postgres": "database"}.items() if lack in lacks}


def _impossible(plan: LoadPlan, lacks: frozenset[Lack]) -> bool:
    if plan.load.name != "tasks":
        return False
    return "tasks" in lacks or ("cancel" in lacks and plan.load.args.get("cancel_after_s") is not None)


def _claim(claim: Spec, lacks: frozenset[Lack]) -> Spec:
    """Return a claim on completion as one on the service's own word, where no witness hears of it."""
    if claim.name != "completion" or "witness" not in lacks:
        return claim
    return Spec(
        name="reported", args={key: claim.args[key] for key in ("min", "clients") if key in claim.args}
    )


def _hypothesis(asked: Hypothesis, lacks: frozenset[Lack]) -> Hypothesis:
    silent = bool({"tasks", "witness"} & lacks)
    return msgspec.structs.replace(
        asked,
        backlog_growth_max=None if {"counts", "tasks"} & lacks else asked.backlog_growth_max,
        waiting_max_s=None if silent else asked.waiting_max_s,
        instances={name: count for name, count in asked.instances.items() if name not in _absent(lacks)},
        database=asked.database and "database" not in lacks,
        circuits_closed=() if "circuits" in lacks else asked.circuits_closed,
    )
