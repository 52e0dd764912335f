"""What can still be claimed of a service that capsize did not start, or that tells less of itself."""

from __future__ import annotations

import msgspec

from capsize.core.experiment import Experiment, Spec
from capsize.core.system import Fitting, Lacking, System, Telling
from capsize.scenarios.building import spec
from capsize.scenarios.observing import OBSERVED
from capsize.scenarios.reduced import reduced

WITNESSED = frozenset(
    {"duplicate", "overlap", "stuck", "misreported", "resurrected", "retries", "spread", "late", "restarted"}
)
"""Claims that rest on what workers announce to the witness, which such a service's workers don't know."""
UNSEEN = frozenset(
    {"pickup", "throughput", "queue", "scaling", "utilization", "crashes", "database_load", "memory"}
)
"""Claims that rest on the witness too, or on the platform's view of processes and database."""
PROBES = frozenset({"ready", "stats", "instrument", "breaker"})
"""Probes that need nothing but the service's API."""


def without_control(experiment: Experiment) -> Experiment:
    """Return the experiment with the claims and probes that an API alone can bear.

    Strikes are left in where nothing can be proved without them: the runner refuses them, and says what they
    would need.
    """
    if experiment.scenario in OBSERVED:
        experiment = OBSERVED[experiment.scenario](experiment)
    claims = (_claim(claim) for claim in experiment.checkers if claim.name not in WITNESSED | UNSEEN)
    # Neither processes nor the database are seen, and no worker announces that it began.
    hypothesis = msgspec.structs.replace(
        experiment.hypothesis, instances={}, database=False, waiting_max_s=None
    )
    return msgspec.structs.replace(
        experiment,
        hypothesis=hypothesis,
        probes=tuple(probe for probe in experiment.probes if probe.name in PROBES),
        checkers=tuple(claims),
    )


def for_system(experiment: Experiment, system: System) -> Experiment:
    """Return the experiment without the claims that the system itself can't bear: it may not tell what it holds."""
    if isinstance(system, Lacking):
        experiment = reduced(experiment, system.lacking())
    if isinstance(system, Fitting):
        experiment = system.fitted(experiment)
    if isinstance(system, Telling):
        return experiment
    claims = tuple(claim for claim in experiment.checkers if claim.name != "intact")
    return msgspec.structs.replace(experiment, checkers=claims)


def _claim(claim: Spec) -> Spec:
    if claim.name == "completion":
        kept = {name: value for name, value in claim.args.items() if name in ("min", "clients")}
        return Spec(name="reported", args=kept)
    if claim.name == "intact":
        return spec("intact")
    if claim.name == "unaccounted":
        # Others may use the service too.
        return spec("unaccounted", other_creations=True)
    return claim
