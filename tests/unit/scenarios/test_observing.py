"""What is left of scenarios on a service that capsize can't break."""

from __future__ import annotations

import pytest

from capsize.checkers import CHECKERS
from capsize.core.levels import level
from capsize.runner.parts import Parts
from capsize.scenarios import SCENARIOS
from capsize.scenarios.observing import CALLED, OBSERVED, STRUCK
from capsize.scenarios.remote import without_control


@pytest.mark.parametrize("name", OBSERVED)
@pytest.mark.parametrize("number", range(1, 7))
def test_an_observer_strikes_nothing_and_claims_what_it_sees(name: str, number: int) -> None:
    """No strike and no claim about one is left, the observer's own claim is there, and every part can be made."""
    plan = without_control(SCENARIOS[name].plan(level(number), 1))
    assert plan.strikes == ()
    names = {claim.name for claim in plan.checkers}
    assert {"recovery": "observed_recovery", "circuit-breaker": "observed_circuit"}[name] in names
    assert not names & (STRUCK | CALLED)
    Parts.of(plan)


def test_the_circuit_is_opened_by_tasks_that_nobody_knows() -> None:
    """The service is not asked to call capsize: the calls are left out, the other tasks stay."""
    plan = without_control(SCENARIOS["circuit-breaker"].plan(level(1), 1))
    assert [one.load.args.get("label") for one in plan.loads] == [None, "delays", "unknown"]
    assert "breaker" in [probe.name for probe in plan.probes]


def test_every_claim_that_is_left_out_exists() -> None:
    """The lists name checkers that there are."""
    assert set(CHECKERS) >= STRUCK | CALLED


def test_what_needs_control_keeps_its_strikes() -> None:
    """worker-restart proves nothing without them: the runner refuses it and says why."""
    assert without_control(SCENARIOS["worker-restart"].plan(level(1), 1)).strikes
