"""What GitHub Actions is told: one annotation for each broken claim, and nothing that it would misread."""

from __future__ import annotations

import pytest

from capsize.core.verdict import Result, Verdict
from capsize.report import RunReport, Summary, assemble, github
from support.literal_runs import completion, finding, lost, result, skipped


def whole(*runs: RunReport) -> Summary:
    """Return an invocation."""
    return Summary(runs=runs, duration_s=1.0)


def broken(verdict: Verdict, number: int = 1, summary: str = "why") -> RunReport:
    """Return a run with so many claims of a verdict."""
    return assemble(
        result(*(Result(checker=f"c{n}", verdict=verdict, summary=summary) for n in range(number)))
    )


def test_a_broken_promise_is_an_error_and_an_open_one_a_warning() -> None:
    """Title and message name the claim, the scenario and the seed."""
    told = github.workflow_commands(whole(assemble(result(lost(finding()))), broken(Verdict.UNKNOWN)))
    assert told.splitlines() == [
        "::error title=FAIL lost%3A multi-worker-chaos level 3 seed 42::1 of 10 acknowledged tasks were lost",
        "::warning title=UNKNOWN c0%3A multi-worker-chaos level 3 seed 42::why",
    ]


def test_a_run_that_passed_says_nothing() -> None:
    """An annotation on every run would soon be read by nobody."""
    assert github.workflow_commands(whole(assemble(result(completion())))) == ""


def test_a_skipped_scenario_is_a_notice() -> None:
    """It is no warning: the platform can't do it."""
    assert github.workflow_commands(whole(assemble(skipped()))).startswith("::notice title=SKIPPED")


def test_a_text_can_t_begin_a_command_of_its_own() -> None:
    """A service's words can hold line breaks and per cent signs; they stay inside the one message."""
    told = github.workflow_commands(whole(broken(Verdict.FAIL, summary="50%\n::set-env name=A::b\r")))
    assert told.count("\n") == 1
    assert told.endswith("::50%25%0A::set-env name=A::b%0D\n")


@pytest.mark.parametrize(("number", "last"), [(10, "c9"), (11, "and 2 more")])
def test_no_more_annotations_than_github_shows(number: int, last: str) -> None:
    """GitHub drops what is beyond ten without a word: the tenth says how many there are."""
    lines = github.workflow_commands(whole(broken(Verdict.FAIL, number))).splitlines()
    assert len(lines) == 10
    assert last in lines[-1]


def test_a_step_summary_that_github_would_refuse_is_cut() -> None:
    """Above 1 MiB GitHub drops all of it; a code block that was cut open is closed."""
    told = [finding(f"t{number}") for number in range(9000)]
    text = github.step_summary(whole(*(assemble(result(lost(*told))) for _ in range(8))))
    assert len(text.encode()) < 2**20
    assert text.endswith("Cut here: the whole of it is in summary.md.\n")
    assert text.count("\n```") % 2 == 0
    assert github.step_summary(whole(assemble(result(completion())))).startswith("# Chaos testing: PASS")
