"""Against a service that capsize did not start, only claims that its API can bear are made."""

from __future__ import annotations

from capsize.checkers import CHECKERS
from capsize.core.levels import level
from capsize.scenarios import SCENARIOS
from capsize.scenarios.remote import WITNESSED, without_control


def test_no_claim_rests_on_the_witness() -> None:
    """Nothing that the witness would have to see is claimed, and completion rests on the service's word."""
    names = [claim.name for claim in without_control(SCENARIOS["baseline"].plan(level(1), 1)).checkers]
    assert not WITNESSED & set(names)
    assert "completion" not in names
    assert {"reported", "lost", "availability", "endpoints"} <= set(names)


def test_every_claim_that_is_left_out_exists() -> None:
    """The list of witnessed claims names checkers that there are."""
    assert set(CHECKERS) >= WITNESSED
