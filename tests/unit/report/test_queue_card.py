"""The report card of a task queue, from literal results."""

from __future__ import annotations

from typing import Any

from capsize.core.verdict import Judgement, Result, ScenarioResult, Verdict
from capsize.report.queue_card import Card, Losses, losses, page, text, told

ROW = Losses(
    seed=3, verdict="FAIL", accepted=10, strikes=2, lost=1, stuck=0, duplicate=0, overlap=0, redelivered=1,
    redelivery_p50_s=4.0, redelivery_max_s=4.0,
)  # fmt: skip
FINE = Losses(seed=4, verdict="PASS", accepted=10, strikes=2, lost=0, stuck=0, duplicate=0, overlap=0)


def result(verdict: Verdict = Verdict.FAIL, **measures: dict[str, Any]) -> ScenarioResult:
    rows = tuple(
        Result(checker=name, verdict=verdict, summary="", measures=one) for name, one in measures.items()
    )
    judgement = Judgement(scenario="queue-workers", level=1, seed=3, verdict=verdict, results=rows)
    return ScenarioResult(
        scenario="queue-workers", level=1, seed=3, verdict=verdict, duration_s=1.0, judgement=judgement
    )


def card(config: str = "default", *rows: Losses, library: str = "celery") -> Card:
    return Card(
        library=library,
        title=library.title(),
        config=config,
        settings="`acks_late`" if config == "safe" else "as they come",
        level=1,
        versions={library: "1.2"},
        workers=rows,
    )


def test_the_figures_are_those_of_the_checkers():
    """Lost, held back, twice and at once, each from the checker of that name; held back is what is still kept."""
    found = losses(
        result(
            lost={"accepted": 10, "lost": 2, "kept": 3},
            stuck={"stuck": 1, "redeliveries": 2, "redelivery_p50_s": 1.5, "redelivery_max_s": 2.5},
            duplicate={"duplicates": 1},
            overlap={"overlaps": 4},
            landed={"landed": 2},
        )
    )
    assert found is not None
    assert (found.accepted, found.lost, found.stuck, found.duplicate, found.overlap) == (10, 2, 3, 1, 4)
    assert (found.strikes, found.redelivered, found.redelivery_max_s) == (2, 2, 2.5)


def test_a_run_without_a_judgement_has_no_figures():
    """Nothing is made up for a run that never began."""
    bare = ScenarioResult(scenario="q", level=1, seed=1, verdict=Verdict.UNKNOWN, duration_s=0.0)
    assert losses(bare) is None


def test_a_row_says_what_was_found_and_nothing_else():
    """Only the harm that was done is named; without any, that is said."""
    assert told(ROW) == "10 accepted, 2 strikes: 1 lost; 1 task was run again within 4.00 s"
    assert told(FINE) == "10 accepted, 2 strikes: none lost, none twice, none stuck"


def test_a_doubtful_run_says_so():
    """Zero losses in a run that proves nothing are no praise."""
    doubtful = Losses(
        seed=1, verdict="UNKNOWN", accepted=0, strikes=0, lost=0, stuck=0, duplicate=0, overlap=0
    )
    assert "UNKNOWN" in told(doubtful)


def test_the_card_names_versions_settings_and_every_run():
    """A reader can tell what was measured; what was not run is not passed over."""
    shown = text(card("safe", ROW, FINE))
    assert "celery 1.2" in shown
    assert "`acks_late`" in shown
    assert "seed 3" in shown
    assert "seed 4" in shown
    assert "Broker killed:\n    not run" in shown


def test_the_page_sums_the_runs_of_each_card():
    """One row for each library and configuration, default before safe, with the range of waits."""
    shown = page([card("safe", FINE), card("default", ROW, ROW), card("default", ROW, library="arq")])
    rows = [line for line in shown.splitlines() if line.startswith(("| Celery", "| Arq"))]
    assert rows == [
        "| Arq | default | 1 | 10 | 2 | 1 | 0 | 0 | 0 | 4.00 s to 4.00 s |",
        "| Celery | default | 2 | 20 | 4 | 2 | 0 | 0 | 0 | 4.00 s to 4.00 s |",
        "| Celery | safe | 1 | 10 | 2 | 0 | 0 | 0 | 0 | never |",
    ]
    assert "- **Celery**: `acks_late`." in shown
