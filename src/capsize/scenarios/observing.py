"""Scenarios on a service that capsize can't break: what of them an onlooker can still prove."""

from __future__ import annotations

from collections.abc import Callable, Iterable

import msgspec

from capsize.core.experiment import Experiment, LoadPlan, Phase, Spec
from capsize.scenarios.building import spec

STRUCK = frozenset({"landed", "restarted", "recovery", "recovery_trend", "crashes"})
"""Claims about strikes."""
CALLED = frozenset(
    {
        "landed",
        "breaker_opens",
        "breaker_holds",
        "breaker_recovers",
        "truthful_breaker",
        "isolation",
        "attempts",
    }
    | {"retry_backoff"}
)
"""Claims about the outside service that capsize plays, which such a service is not asked to call."""
CIRCUIT_S = 12.0
LOOK_S = 0.1
"""Fine enough for a return that may take seconds. While such a service is away every look is a new connection, over
TLS a new handshake, and somebody else's service may not be drowned in them."""
API_RATE = 5.0
UNKNOWN_RATE = 4.0


def recovery(experiment: Experiment) -> Experiment:
    """Break nothing and look on: whoever deploys, restarts or kills meanwhile is measured."""
    kept = [claim for claim in experiment.checkers if claim.name not in STRUCK]
    claims = [
        spec("availability", min=claim.args["min"]) if claim.name == "availability" else claim
        for claim in kept
    ]
    looks = [spec("ready", interval_s=LOOK_S), *(one for one in experiment.probes if one.name != "ready")]
    return msgspec.structs.replace(
        experiment,
        strikes=(),
        loads=tuple(_gentle(plan) for plan in experiment.loads),
        probes=tuple(looks),
        checkers=(*claims, spec("observed_recovery")),
    )


def circuit_breaker(experiment: Experiment) -> Experiment:
    """Open a circuit with tasks of a type that nobody knows; the other tasks may not notice."""
    limit_s = experiment.level.scaled(CIRCUIT_S)
    failures = int(experiment.settings["breaker_failures"])
    claims = [_without_calls(claim) for claim in experiment.checkers if claim.name not in CALLED]
    hypothesis = msgspec.structs.replace(experiment.hypothesis, circuits_closed=("delay",))
    return msgspec.structs.replace(
        experiment,
        strikes=(),
        phases=tuple(_limited(phase, limit_s) for phase in experiment.phases),
        loads=tuple(_loads(experiment.loads, limit_s)),
        checkers=(*claims, spec("observed_circuit", failures=failures)),
        hypothesis=hypothesis,
    )


def _gentle(plan: LoadPlan) -> LoadPlan:
    if plan.load.name != "api":
        return plan
    return msgspec.structs.replace(plan, load=spec("api", **plan.load.args | {"rate": API_RATE}))


def _limited(phase: Phase, limit_s: float) -> Phase:
    return msgspec.structs.replace(phase, limit_s=limit_s) if phase.name == "chaos" else phase


def _loads(loads: Iterable[LoadPlan], limit_s: float) -> Iterable[LoadPlan]:
    for plan in loads:
        label, args = plan.load.args.get("label"), plan.load.args
        if label == "calls":
            continue
        if label == "unknown":
            args = args | {"after_s": 0.5, "rate": UNKNOWN_RATE}
        elif label == "delays":
            args = args | {"count": max(1, int(limit_s * args["rate"]))}
        yield msgspec.structs.replace(plan, load=Spec(name=plan.load.name, args=args))


def _without_calls(claim: Spec) -> Spec:
    if claim.name != "completion":
        return claim
    return Spec(name=claim.name, args=claim.args | {"clients": ["delays"]})


OBSERVED: dict[str, Callable[[Experiment], Experiment]] = {
    "recovery": recovery,
    "circuit-breaker": circuit_breaker,
}
"""By scenario, what is left of it."""
