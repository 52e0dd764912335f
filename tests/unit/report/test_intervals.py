"""A rate over few tasks or calls is told with its interval, in every report, from what the real checkers measure."""

from __future__ import annotations

import json

import pytest

from capsize.checkers import judge
from capsize.core.verdict import ScenarioResult
from capsize.report import RunReport, Summary, assemble, document, markdown, terminal
from support.histories import Past, experiment


def report(finished: int) -> RunReport:
    """Return the report of ten tasks, some of them finished, and of thirty API calls of which three failed."""
    past = Past("worker-1").phase("chaos", 0.0, 20.0).api(0.0, 2.7, every=0.1).api(2.7, 3.0, False, every=0.1)
    for number in range(10):
        past.submit(0.1, f"T{number}").reported(
            21.0, "completed" if number < finished else "pending", f"T{number}"
        )
        if number < finished:
            past.runs(1.0 + number, 1.5 + number, "worker-1", f"T{number}")
    plan = experiment(
        "completion", "availability", "reported", completion={"min": 0.0}, reported={"min": 0.0}
    )
    judgement = judge(plan, past.ends(22.0).history())
    return assemble(
        ScenarioResult(
            scenario="test",
            level=1,
            seed=1,
            verdict=judgement.verdict,
            duration_s=22.0,
            judgement=judgement,
        )
    )


@pytest.mark.parametrize(
    ("finished", "told"),
    [(10, "100.0% (95% interval 72.2% to 100.0%)"), (9, "90.0% (95% interval 59.5% to 98.2%)")],
)
def test_completion_and_api_success_carry_their_interval(finished: int, told: str) -> None:
    """Ten of ten is no proof of 100%: terminal and Markdown say how sure it is, for one run and for many."""
    made = report(finished)
    whole = Summary(runs=(made,), duration_s=22.0)
    for text in (terminal.run(made), terminal.summary(whole), markdown.run(made), markdown.summary(whole)):
        assert told in text
        assert "90.0% (95% interval 74.3% to 96.5%)" in text


def test_the_json_has_both_ends_of_every_rate() -> None:
    """Every measure called a completion or success ratio has its low and high beside it."""
    claims = json.loads(document.run(report(9)))["claims"]
    rates = [
        (claim["measures"], name) for claim in claims for name in claim["measures"] if name.endswith("_ratio")
    ]
    assert [name for _, name in rates] == ["completion_ratio", "api_success_ratio", "completion_ratio"]
    for measures, name in rates:
        root = name.removesuffix("_ratio")
        assert measures[f"{root}_low"] <= measures[name] <= measures[f"{root}_high"]
