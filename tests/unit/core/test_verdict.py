"""Verdicts: the worst wins, and no evidence is never a pass."""

from __future__ import annotations

import itertools

import pytest

from capsize.core.verdict import Verdict, worst


def test_the_order_is_pass_partial_unknown_fail() -> None:
    """The design's order of verdicts decides which one wins."""
    assert sorted(Verdict) == [Verdict.PASS, Verdict.PARTIAL, Verdict.UNKNOWN, Verdict.FAIL]


@pytest.mark.parametrize("pair", list(itertools.combinations(Verdict, 2)))
def test_the_worst_wins(pair: tuple[Verdict, Verdict]) -> None:
    """Of any two verdicts the later in the order is the whole's."""
    assert worst(pair) is max(pair)


def test_no_claim_at_all_is_unknown() -> None:
    """A run that nothing judged did not pass."""
    assert worst([]) is Verdict.UNKNOWN


def test_exit_codes() -> None:
    """0 for pass and partial, 1 for fail, 2 for unknown."""
    assert [verdict.exit_code for verdict in Verdict] == [0, 0, 2, 1]
