"""accounts: what users were told of their accounts and sessions is so."""

from __future__ import annotations

import pytest

from capsize.checkers.accounts import Accounts
from capsize.core.events import Outcome
from capsize.core.verdict import Verdict
from support.histories import Past

GOOD = (
    "register 201",
    "login 200",
    "me 200",
    "refresh 200",
    "reuse 401",
    "ended 401",
    "login 200",
    "logout 204",
    "ended 401",
)
EXPECTED = {
    "register": 201,
    "login": 200,
    "me": 200,
    "refresh": 200,
    "reuse": 401,
    "logout": 204,
    "ended": 401,
}


def told(*steps: str) -> Past:
    """A user who is told these things in turn; ``-`` for a lost answer."""
    past = Past()
    for number, step in enumerate(steps):
        what, _, answer = step.partition(" ")
        status = None if answer == "-" else int(answer)
        outcome: Outcome = "info" if status is None else "ok" if status == EXPECTED[what] else "fail"
        past.op(float(number + 1), f"account:{what}", outcome, key="user", status=status)
    return past


def test_a_whole_life_is_fine() -> None:
    """Every step answered as it must be."""
    result = Accounts().check(told(*GOOD).history())
    assert result.verdict is Verdict.PASS
    assert result.measures["ended"] == 2


def test_lost_answers_explain_what_comes_after_them() -> None:
    """Taken by its own first try; spent by its own refresh; ended by its own logout."""
    steps = (
        "register -",
        "register 409",
        "login -",
        "login 200",
        "refresh -",
        "refresh 401",
        "login 200",
        "me 200",
    )
    assert (
        Accounts().check(told(*steps, "logout -", "logout 401", "ended 401").history()).verdict
        is Verdict.PASS
    )


@pytest.mark.parametrize(
    ("steps", "anomaly"),
    [
        (("register 409",), "duplicate"),
        (("register 201", "login 401"), "lost"),
        (("register 201", "login -", "login 429"), "lost"),
        (("login 200", "me 401"), "lost"),
        (("login 200", "refresh 401"), "lost"),
        (("login 200", "refresh -", "refresh 401", "login 200", "refresh 401"), "lost"),
        (("login 200", "logout 401"), "lost"),
        (("login 200", "refresh 200", "reuse 200"), "duplicate"),
        (("login 200", "logout 204", "ended 200"), "resurrected"),
    ],
)
def test_what_can_not_be_so(steps: tuple[str, ...], anomaly: str) -> None:
    """Each has its name, and the user's whole story."""
    result = Accounts().check(told(*steps).history())
    assert result.verdict is Verdict.FAIL
    assert [finding.anomaly for finding in result.findings] == [anomaly]
    assert len(result.findings[0].story) == len(steps)


def test_nobody_at_the_end_of_a_session_is_unknown() -> None:
    """Nothing was shown of sessions then."""
    assert Accounts().check(told("register 201", "login 200").history()).verdict is Verdict.UNKNOWN
    assert Accounts().check(Past().history()).verdict is Verdict.UNKNOWN
