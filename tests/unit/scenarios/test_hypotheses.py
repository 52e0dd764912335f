"""Every scenario says what is normal for it."""

from __future__ import annotations

import pytest

from capsize.core.hypothesis import Hypothesis
from capsize.core.levels import LEVELS, level
from capsize.scenarios import SCENARIOS

OWN = {
    "baseline": "at least 100% of the API calls within 2 s succeed",
    "db-failure": "the database answers beside the service",
    "server-restart": "ready in full number: api",
    "worker-restart": "ready in full number: worker",
    "task-flood": "no accepted task waits over 1 s for its first run",
    "circuit-breaker": "closed circuits: call, delay",
    "mixed-chaos": "ready in full number: api, postgres, worker",
    "recovery": "ready in full number: api, postgres, worker",
    "multi-worker-chaos": "ready in full number: api, worker",
    "dynamic-scaling": "ready in full number: api, worker",
}


@pytest.mark.parametrize("name", SCENARIOS)
@pytest.mark.parametrize("number", LEVELS)
def test_what_is_normal_is_the_scenario_s_own(name: str, number: int) -> None:
    """None leaves it to the default, and what it asks for in number is what it starts."""
    plan = SCENARIOS[name].plan(level(number), 1)
    assert plan.hypothesis != Hypothesis()
    assert OWN.get(name, "") in (*plan.hypothesis.told, "")
    asked = {service: count for service, count in plan.hypothesis.instances.items() if service != "postgres"}
    assert asked.items() <= plan.replicas.items()


@pytest.mark.parametrize("name", SCENARIOS)
def test_what_is_asked_is_looked_at(name: str) -> None:
    """A tolerance whose probe does not run could never be broken."""
    plan = SCENARIOS[name].plan(level(1), 1)
    probes = {probe.name for probe in plan.probes}
    assert not plan.hypothesis.database or "database" in probes
    assert not plan.hypothesis.circuits_closed or "breaker" in probes
    assert plan.hypothesis.api_success_min is None or any(load.load.name == "api" for load in plan.loads)


@pytest.mark.parametrize("name", SCENARIOS)
def test_a_database_that_must_be_whole_is_looked_at(name: str) -> None:
    """The claim that demands it and the probe that sees it come together."""
    plan = SCENARIOS[name].plan(level(1), 1)
    (intact,) = (claim for claim in plan.checkers if claim.name == "intact")
    assert bool(intact.args.get("database")) == any(probe.name == "integrity" for probe in plan.probes)
