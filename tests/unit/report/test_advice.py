"""Recommendations: every claim and anomaly has one, and the guide's warning signs are rules."""

from __future__ import annotations

import pytest

from capsize.checkers import ANOMALIES, CHECKERS
from capsize.core.verdict import Result, Verdict
from capsize.report import assemble, markdown, terminal
from capsize.report.advice import Recommendation, recommendations
from capsize.report.advice_table import ANOMALY_ADVICE, CLAIM_ADVICE, UNKNOWN_CHANGE
from capsize.report.warning_signs import SIGNS
from support.literal_runs import completion, finding, judged, lost, result


def advice(checker: str, verdict: Verdict = Verdict.PASS, **measures: float) -> tuple[Recommendation, ...]:
    """Return what a single claim gives reason to do."""
    return recommendations(
        judged(Result(checker=checker, verdict=verdict, summary="so it was", measures=dict(measures)))
    )


@pytest.mark.parametrize("name", [*CHECKERS, *ANOMALIES])
def test_every_claim_and_anomaly_has_advice(name: str) -> None:
    """A FAIL without a hint at what to do helps nobody: capsize/report/advice_table.py has a line for each."""
    known = {*CLAIM_ADVICE, *ANOMALY_ADVICE, *UNKNOWN_CHANGE}
    assert name in known, f"add a line for {name} to advice_table.py"


def test_the_table_names_only_what_there_is() -> None:
    """A line for a claim that was renamed would never be read again."""
    named = {*CLAIM_ADVICE, *ANOMALY_ADVICE, *UNKNOWN_CHANGE, *(sign.checker for sign in SIGNS)}
    assert named <= set(CHECKERS)


@pytest.mark.parametrize(
    ("checker", "measures", "urgency", "sign"),
    [
        ("recovery", {"recovery_max_s": 31.0}, "critical", "recovery over 30 s"),
        ("recovery", {"recovery_max_s": 21.0}, "improve", "recovery over 20 s"),
        ("availability", {"api_success_ratio": 0.69}, "critical", "API success under 70%"),
        ("availability", {"api_success_ratio": 0.84}, "improve", "API success under 85%"),
        ("availability", {"latency_p99_s": 1.2}, "improve", "one call in a hundred takes over 1 s"),
        ("stuck", {"stuck": 1}, "critical", "tasks stuck while being processed"),
        ("stuck", {"redelivery_max_s": 30.5}, "improve", "over 30 s until a dead worker's task ran again"),
        ("breaker_recovers", {"not_recovered": 1}, "critical", "a circuit that does not close again"),
        (
            "lost",
            {"dead_lettered": 2, "accepted": 10},
            "improve",
            "over 10% of the tasks failed for good",
        ),
    ],
)
def test_a_warning_sign_is_told_though_the_claim_holds(
    checker: str, measures: dict[str, float], urgency: str, sign: str
) -> None:
    """A level may allow what is a warning sign all the same."""
    (one,) = advice(checker, **measures)
    assert (one.urgency, one.sign) == (urgency, sign)


@pytest.mark.parametrize(
    ("checker", "measures"),
    [
        ("recovery", {"recovery_max_s": 20.0}),
        ("availability", {"api_success_ratio": 0.85, "latency_p99_s": 1.0}),
        ("stuck", {"stuck": 0, "redelivery_max_s": 30.0}),
        ("breaker_recovers", {"not_recovered": 0}),
        ("lost", {"dead_lettered": 1, "accepted": 10}),
        ("lost", {"dead_lettered": 0, "accepted": 0}),
    ],
)
def test_good_figures_are_no_sign(checker: str, measures: dict[str, float]) -> None:
    """On the limit is not beyond it."""
    assert advice(checker, **measures) == ()


def test_memory_growth_that_fails_its_claim_is_critical() -> None:
    """The guide's sign of a leak is a claim of its own."""
    (one,) = advice("memory", Verdict.FAIL)
    assert (one.about, one.urgency) == ("memory", "critical")


def test_a_claim_that_was_left_open_says_how_to_close_it() -> None:
    """Its cause is what the claim says, not what would break it."""
    (one,) = advice("instrument", Verdict.UNKNOWN)
    assert (one.urgency, one.cause) == ("repeat", "so it was")
    assert "--jobs" in one.change


def test_claims_that_are_open_for_one_reason_are_one_thing_to_do() -> None:
    """A run that was cut off leaves all of them open; others without a line of their own are told together."""

    def unknown(*names: str) -> tuple[Recommendation, ...]:
        return recommendations(
            judged(*(Result(checker=name, verdict=Verdict.UNKNOWN, summary="no word") for name in names))
        )

    assert [one.about for one in unknown("ended", "lost", "landed", "overlap")] == ["ended"]
    landed, rest = unknown("lost", "landed", "overlap")
    assert landed.about == "landed"
    assert (rest.title, rest.cause) == ("Left open: lost, overlap", "no word")


def test_a_claim_of_a_scenario_s_own_is_told_in_its_own_words() -> None:
    """No line of the table, and still no silence."""
    (one,) = advice("my-claim", Verdict.FAIL)
    assert "my-claim" in one.title
    assert one.cause == "so it was"


def test_the_most_urgent_comes_first_and_each_once() -> None:
    """A finding, its broken claim and its sign are one thing to do."""
    found = recommendations(
        judged(
            Result(checker="spread", verdict=Verdict.UNKNOWN, summary="too few"),
            Result(
                checker="recovery", verdict=Verdict.PARTIAL, summary="slow", measures={"recovery_max_s": 25}
            ),
            lost(finding("t1"), finding("t2")),
        )
    )
    assert [(one.about, one.urgency) for one in found] == [
        ("lost", "critical"),
        ("recovery", "improve"),
        ("spread", "repeat"),
    ]
    assert found[0].title == "Accepted tasks were lost (2 findings)"


def test_terminal_and_markdown_tell_it() -> None:
    """What to do stands in every form; a clean run is told nothing."""
    bad, good = assemble(result(lost(finding()))), assemble(result(completion()))
    for write in (terminal.run, markdown.run):
        assert "Answer 2xx only after the commit" in " ".join(write(bad).split())
        assert "What to do" not in write(good)
