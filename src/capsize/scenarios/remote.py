"""What can still be claimed of a service that capsize did not start."""

from __future__ import annotations

import msgspec

from capsize.core.experiment import Experiment, Spec
from capsize.scenarios.building import spec

WITNESSED = frozenset(
    {"duplicate", "overlap", "stuck", "misreported", "resurrected", "retries", "spread", "late", "restarted"}
)
"""Claims that rest on what workers announce to the witness, which such a service's workers don't know."""
UNSEEN = frozenset(
    {"pickup", "throughput", "queue", "scaling", "utilization", "crashes", "database_load", "memory"}
)
"""Claims that rest on the witness too, or on the platform's view of processes and database."""
PROBES = frozenset({"ready", "stats", "instrument"})
"""Probes that need nothing but the service's API."""


def without_control(experiment: Experiment) -> Experiment:
    """Return the experiment with the claims and probes that an API alone can bear.

    Strikes are left in: the runner refuses them, and says what they would need.
    """
    claims = (_claim(claim) for claim in experiment.checkers if claim.name not in WITNESSED | UNSEEN)
    return msgspec.structs.replace(
        experiment,
        probes=tuple(probe for probe in experiment.probes if probe.name in PROBES),
        checkers=tuple(claims),
    )


def _claim(claim: Spec) -> Spec:
    if claim.name == "completion":
        kept = {name: value for name, value in claim.args.items() if name in ("min", "clients")}
        return Spec(name="reported", args=kept)
    if claim.name == "unaccounted":
        # Others may use the service too.
        return spec("unaccounted", other_creations=True)
    return claim
