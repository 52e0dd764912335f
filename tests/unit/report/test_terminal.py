"""The closing summary on a terminal."""

from __future__ import annotations

from capsize.core.verdict import Result, ScenarioResult, Verdict
from capsize.report import RunReport, Summary, assemble, terminal
from support.literal_runs import (
    STORY,
    completion,
    experiment,
    finding,
    history,
    lost,
    result,
    retries,
    skipped,
)


def _summary(*results: ScenarioResult, **changes: object) -> Summary:
    fields: dict[str, object] = {"runs": tuple(map(assemble, results)), "duration_s": 46.2}
    return Summary(**(fields | changes))  # type: ignore[arg-type]


def test_the_summary_has_the_form_of_the_guide() -> None:
    """The first lines are those of the guide's example, letter by letter."""
    text = terminal.summary(_summary(result(completion(1.0), retries(3))))
    assert text.startswith(
        " Chaos Testing Results\n"
        "=========================\n"
        "Total scenarios: 1\n"
        "Passed: 1\n"
        "Failed: 0\n"
        "Success rate: 100%\n"
        "Total duration: 46s\n"
        "\n"
        "Scenario Results:\n"
        " multi-worker-chaos: PASS (100.0%, 3 retries)\n"
    )


def test_a_scaled_run_says_so_on_its_first_line() -> None:
    """A reader of the first line alone can't take a scaled run for the level."""
    first = terminal.summary(_summary(result(completion(), time_scale=0.1))).splitlines()[0]
    assert "scaled by 0.1" in first
    assert "not level 3" in first


def test_a_summary_in_real_time_does_not_mention_scaling() -> None:
    """The word would make a reader doubt a whole run."""
    assert "scaled" not in terminal.summary(_summary(result(completion())))


def test_a_failure_is_told_by_anomaly_with_the_task_s_life() -> None:
    """The first three stories stand in full, the others are counted."""
    text = terminal.summary(_summary(result(lost(*(finding(f"t{n}") for n in range(5))))))
    assert "  lost (5):" in text
    for line in STORY:
        assert text.count(line) == 3
    assert "and 2 more" in text
    assert "task t2 was" in text
    assert "task t3 was" not in text


def test_counts_that_are_not_zero_are_told() -> None:
    """Partial, unknown and skipped scenarios are neither passed nor failed, and each is counted."""
    text = terminal.summary(
        _summary(
            result(completion(1.0, Verdict.PARTIAL)), result(completion(1.0, Verdict.UNKNOWN)), skipped()
        )
    )
    assert "Partial: 1\nUnknown: 1\nSkipped: 1\n" in text
    assert "Success rate: 0%" in text
    assert " db-failure: SKIPPED (nothing can be stopped here)" in text


def test_counts_of_zero_are_left_out() -> None:
    """A run in which all passed has just the guide's lines."""
    text = terminal.summary(_summary(result(completion())))
    assert "Partial" not in text
    assert "Skipped" not in text


def test_nothing_run_is_no_success() -> None:
    """When every scenario was skipped there is no rate, and the invocation proves nothing."""
    whole = _summary(skipped())
    assert whole.verdict is Verdict.UNKNOWN
    assert "Success rate: none ran" in terminal.summary(whole)


def test_a_rate_is_never_rounded_up_to_all() -> None:
    """999 of 1000 reads 99.9%, and 9996 of 10000 too."""
    assert "(99.9%)" in terminal.result_line(result(completion(0.9996)))
    assert "(100.0%)" in terminal.result_line(result(completion(1.0)))


def test_a_scenario_without_tasks_leads_with_availability() -> None:
    """The API success rate and the longest recovery stand in for completion."""
    availability = Result(
        checker="availability",
        verdict=Verdict.PASS,
        summary="",
        measures={"api_success_ratio": 0.975},
    )
    recovery = Result(
        checker="recovery", verdict=Verdict.PASS, summary="", measures={"recovery_max_s": 0.412}
    )
    line = terminal.result_line(result(availability, recovery, scenario="server-restart"))
    assert line == " server-restart: PASS (97.5% API success, recovery 412 ms at most)"


def test_the_seed_and_the_replay_command_close_the_summary() -> None:
    """The last lines are what is needed to see it again."""
    lines = terminal.summary(_summary(result(completion()), command="capsize run --seed 42")).splitlines()
    assert lines[-3:] == ["Seed: 42", "Again: capsize run --seed 42", "Replay: capsize replay runs/one"]


def test_everything_fits_in_eighty_columns() -> None:
    """Long summaries, purposes and stories are folded; no line goes past column 80."""
    wordy = Result(
        checker="recovery", verdict=Verdict.FAIL, summary="so long a sentence " * 20, findings=(finding(),)
    )
    report = assemble(result(wordy, lost(finding())), experiment(purpose="many words " * 30), history())
    whole = Summary(runs=(report,), duration_s=1.0)
    for line in (terminal.summary(whole, verbose=True) + terminal.run(report)).splitlines():
        assert len(line) <= 80, line


def test_it_is_plain_text() -> None:
    """No escape sequence and nothing outside ASCII, so that it reads the same everywhere."""
    report = assemble(result(lost(finding())), experiment(), history())
    assert terminal.run(report).isascii()
    assert "\x1b" not in terminal.run(report)


def test_a_run_that_was_cut_off_tells_how_far_it_got() -> None:
    """The last phase, the strikes and the tasks up to there, and that the history stops."""
    report: RunReport = assemble(result(), experiment(), history(whole=False))
    text = terminal.run(report)
    assert "The history ends at 3.5 s in phase chaos (cut off)" in text
    assert "1 task accepted, 0 done, 0 retries, 1 of 1 planned strike landed" in text
    assert "capsize was killed or is still running" in " ".join(text.split())


def test_a_whole_run_does_not_say_that_it_was_cut_off() -> None:
    """The counterpart: nothing of it in a run that ended in order."""
    text = terminal.run(assemble(result(completion()), experiment(), history()))
    assert "cut off" not in text
    assert "warning: the send queue was long for a moment" in text


def test_the_timeline_is_told_in_full_reports_and_for_what_failed_only() -> None:
    """A passed scenario stays short in the summary of many; verbose and `report` tell it."""
    report = assemble(result(completion()), experiment(), history())
    whole = Summary(runs=(report,), duration_s=1.0)
    assert "Timeline" not in terminal.summary(whole)
    assert "Timeline" in terminal.summary(whole, verbose=True)
    failed = assemble(result(lost(finding())), experiment(), history())
    assert "Timeline" in terminal.summary(Summary(runs=(failed,), duration_s=1.0))
