"""The timeline and the progress that are read off a history."""

from __future__ import annotations

import pytest

from capsize.core.history import History
from capsize.report import Progress
from capsize.report.timeline import outages, timeline
from support.literal_runs import events, history, probe


def test_moments_stand_in_the_order_in_which_they_happened() -> None:
    """Phases, the strike, the instance and the API's outage are merged by time."""
    told = timeline(history())
    assert [moment.t for moment in told] == sorted(moment.t for moment in told)
    texts = [moment.text for moment in told]
    assert texts == [
        "phase steady begins",
        "phase chaos begins",
        "worker-1 exited (pid 11, signal 9)",
        "strike s1: kill worker-1: landed",
        "API away",
        "API back after 810 ms",
        "worker-1 ready (pid 12)",
        "strike s1: kill worker-1: healed",
        "warning: the send queue was long for a moment",
    ]


def test_one_lucky_answer_does_not_end_an_outage() -> None:
    """The good probe between two bad ones belongs to the outage; the first of three in a row ends it."""
    (outage,) = outages(history())
    assert outage.since == pytest.approx(3.19)
    assert outage.until == pytest.approx(4.0)


def test_an_outage_that_never_ends_stays_open() -> None:
    """A history that ends in an outage claims no recovery."""
    (outage,) = outages(History([probe(1.0, True), probe(2.0, False), probe(3.0, False)]))
    assert outage.until is None


def test_no_bad_probe_is_no_outage() -> None:
    """The counterpart: a service that always answered has no outage."""
    assert outages(History([probe(t / 10, True) for t in range(10)])) == ()


def test_progress_counts_what_was_done() -> None:
    """Acknowledged tasks, recorded ones, second runs, and the API load alone."""
    progress = Progress()
    for event in events():
        progress.observe(event)
    assert progress.accepted == {"t1"}
    assert progress.done == {"t1"}
    assert progress.retries == 1
    assert progress.api_ratio == 0.5
    assert progress.strikes["landed"] == 1
    assert progress.phase == "chaos"


def test_progress_without_calls_has_no_ratio() -> None:
    """No call is no success rate, neither 0 nor 1."""
    assert Progress().api_ratio is None
