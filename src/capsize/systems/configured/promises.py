"""The owner's own thresholds, in the place of the level's."""

from __future__ import annotations

from typing import Any

import msgspec

from capsize.core.experiment import Experiment, Spec
from capsize.systems.configured.model import Description, PromisesTable


def fitted(experiment: Experiment, described: Description) -> Experiment:
    """Return the experiment with the claims that the file wants, at the thresholds that it gives."""
    ignored = frozenset(described.promises.ignore)
    if described.tasks is not None and described.tasks.status is None:
        # Both lay the service's word beside the witness's.
        ignored |= {"misreported", "stuck"}
    claims = [one for one in experiment.checkers if one.name not in ignored]
    return msgspec.structs.replace(experiment, checkers=tuple(_claim(one, described) for one in claims))


def _claim(claim: Spec, described: Description) -> Spec:
    new: dict[str, Any] = {}
    tasks = described.tasks
    if tasks is not None and claim.name in ("stuck", "duplicate"):
        new["lease_s"] = tasks.lease_s
    if tasks is not None and claim.name == "lost":
        new["keeps_records"] = tasks.keeps_records
        if tasks.status is None:
            # Nobody can be asked: what the witness did not see finish, with time to spare, is lost.
            new["audited"] = False
    new |= _thresholds(claim.name, described.promises)
    return msgspec.structs.replace(claim, args={**claim.args, **new}) if new else claim


def _thresholds(name: str, promises: PromisesTable) -> dict[str, Any]:
    wanted = {
        "recovery": {"target_s": promises.recovery_target_s, "limit_s": promises.recovery_limit_s},
        "availability": {"min": promises.api_success_min},
        "completion": {"min": promises.completion_min},
        "reported": {"min": promises.completion_min},
    }
    return {key: value for key, value in wanted.get(name, {}).items() if value is not None}
