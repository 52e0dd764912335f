"""The scenarios, each a function from a level and a seed to an experiment."""

from __future__ import annotations

from capsize.scenarios import (
    baseline,
    circuit_breaker,
    db_failure,
    dynamic_scaling,
    mixed_chaos,
    multi_worker_chaos,
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
    )
}
"""The catalogue by name, in the order in which they run when none is named."""

__all__ = ["SCENARIOS", "Scenario"]
