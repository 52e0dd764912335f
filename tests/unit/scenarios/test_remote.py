"""Against a service that capsize did not start, only claims that its API can bear are made."""

from __future__ import annotations

from capsize.checkers import CHECKERS
from capsize.core.levels import level
from capsize.scenarios import SCENARIOS
from capsize.scenarios.remote import WITNESSED, for_system, without_control
from capsize.systems import Starter


def test_no_claim_rests_on_the_witness() -> None:
    """Nothing that the witness would have to see is claimed, and completion rests on the service's word."""
    names = [claim.name for claim in without_control(SCENARIOS["baseline"].plan(level(1), 1)).checkers]
    assert not WITNESSED & set(names)
    assert "completion" not in names
    assert {"reported", "lost", "availability", "endpoints"} <= set(names)


def test_every_claim_that_is_left_out_exists() -> None:
    """The list of witnessed claims names checkers that there are."""
    assert set(CHECKERS) >= WITNESSED


def test_the_database_and_the_processes_are_not_asked_for() -> None:
    """What was accepted is still compared with the service's word; what only control could show is no part of normal."""
    plan = without_control(SCENARIOS["db-failure"].plan(level(1), 1))
    (intact,) = (claim for claim in plan.checkers if claim.name == "intact")
    assert intact.args == {}
    assert (plan.hypothesis.instances, plan.hypothesis.database) == ({}, False)
    assert plan.hypothesis.api_success_min == 0.99
    assert "integrity" not in [probe.name for probe in plan.probes]


class Silent:
    """A system that does not tell what it holds."""

    name = "silent"


def test_a_system_that_does_not_tell_what_it_holds_lacks_the_claim() -> None:
    """No verdict is given on what can't be compared; every other claim stays."""
    plan = SCENARIOS["db-failure"].plan(level(1), 1)
    assert for_system(plan, Starter()) is plan
    names = [claim.name for claim in for_system(plan, Silent()).checkers]  # type: ignore[arg-type]
    assert names == [claim.name for claim in plan.checkers if claim.name != "intact"]
