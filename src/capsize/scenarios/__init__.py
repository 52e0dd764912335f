"""The scenarios, each a function from a level and a seed to an experiment."""

from __future__ import annotations

from capsize.scenarios import (
    baseline,
    circuit_breaker,
    commit_ambiguity,
    db_failure,
    dynamic_scaling,
    mixed_chaos,
    multi_worker_chaos,
    network_partition,
    recovery,
    server_restart,
    task_flood,
    worker_restart,
)
from capsize.scenarios.building import Scenario

SCENARIOS: dict[str, Scenario] = {
    module.SCENARIO.name: module.SCENARIO
    for module in (
        baseline,
        db_failure,
        server_restart,
        worker_restart,
        task_flood,
        circuit_breaker,
        mixed_chaos,
        recovery,
        multi_worker_chaos,
        dynamic_scaling,
        network_partition,
        commit_ambiguity,
    )
}
"""The catalogue by name, in the order in which they are listed."""

STANDARD = tuple(name for name, scenario in SCENARIOS.items() if scenario.standard)
"""What runs when no scenario is named, in this order."""

__all__ = ["SCENARIOS", "STANDARD", "Scenario"]
