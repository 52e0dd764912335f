"""Several seeds of one scenario: pass rate with its interval, spread, and the worst, in every form of the summary."""

from __future__ import annotations

import json

import msgspec

from capsize.core.verdict import Result, ScenarioResult, Verdict
from capsize.report import Summary, assemble, document, markdown, terminal
from capsize.report.repeats import repeats
from support.literal_runs import completion, result, skipped


def recovery(longest_s: float) -> Result:
    """Return what the recovery checker says."""
    return Result(
        checker="recovery", verdict=Verdict.PASS, summary="back", measures={"recovery_max_s": longest_s}
    )


def run(seed: int, *results: Result) -> ScenarioResult:
    """Return one run of the scenario."""
    return msgspec.structs.replace(result(*results, run_dir=f"runs/{seed}"), seed=seed)


def whole(*results: ScenarioResult) -> Summary:
    """Return the summary of some runs."""
    return Summary(runs=tuple(assemble(one) for one in results), duration_s=60.0)


FOUR = whole(
    run(1, completion(1.0), recovery(0.5)),
    run(2, completion(0.8, Verdict.FAIL), recovery(0.7)),
    run(3, completion(0.7, Verdict.FAIL), recovery(0.6)),
    run(4, completion(1.0), recovery(2.0)),
    skipped(),
)


def test_the_pass_rate_has_its_interval() -> None:
    """Two of four is 50%, and by Wilson anything from 15% to 85%."""
    (one,) = repeats(FOUR)
    assert (one.ran, one.passed, one.pass_ratio) == (4, 2, 0.5)
    assert (one.pass_low, one.pass_high) == (0.15, 0.85)
    assert one.verdicts == {"FAIL": 2, "PASS": 2}


def test_the_spread_is_least_median_and_greatest() -> None:
    """Of every key figure that was measured, and of no other."""
    (one,) = repeats(FOUR)
    found = {spread.figure: (spread.least, spread.median, spread.most) for spread in one.spreads}
    assert found == {"completion_ratio": (0.7, 0.9, 1.0), "recovery_max_s": (0.5, 0.65, 2.0)}


def test_the_worst_has_the_worst_verdict_and_then_the_worst_figures() -> None:
    """Of two that failed, the one that completed less; of two that passed, the one that took longer."""
    assert repeats(FOUR)[0].worst_seed == 3
    passed = whole(*(one.result for one in FOUR.runs if one.result.verdict is Verdict.PASS))
    assert repeats(passed)[0].worst_seed == 4
    unknown = run(9, completion(1.0, Verdict.UNKNOWN))
    assert repeats(whole(run(1, completion(1.0)), unknown))[0].worst_seed == 9


def test_one_seed_is_no_repetition() -> None:
    """Nothing is told of a spread that nobody has seen."""
    assert repeats(whole(run(1, completion(1.0)), run(1, completion(1.0)))) == ()
    assert "Repeats:" not in terminal.summary(whole(run(1, completion(1.0))))


def test_every_form_of_the_summary_tells_it() -> None:
    """Rate, interval, spread, worst seed and its replay on the terminal, in Markdown and in JSON."""
    told = terminal.summary(FOUR)
    for text in (
        " multi-worker-chaos seed 2: FAIL (80.0%)",
        "2 of 4 runs passed, 50.0% (95% interval 15.0% to 85.0%; 2 FAIL)",
        "min 500 ms, median 650 ms, max 2.00 s",
        "Worst: seed 3, FAIL",
        "Replay: capsize replay runs/3",
        "Seed: 1 to 42",
    ):
        assert text in told
    page = markdown.summary(FOUR)
    assert "| multi-worker-chaos | Recovery max | min 500 ms, median 650 ms, max 2.00 s | 4 |" in page
    assert "capsize replay runs/3" in page
    (one,) = json.loads(document.summary(FOUR))["repeats"]
    assert (one["pass_ratio"], one["worst_seed"], one["worst_replay"]) == (0.5, 3, "capsize replay runs/3")


def test_runs_that_passed_are_not_told_one_by_one() -> None:
    """Thirty clean runs fit on a screen; those that did not pass are told in full."""
    told = terminal.summary(FOUR)
    assert "multi-worker-chaos: FAIL, level 3, seed 2" in told
    assert "multi-worker-chaos: PASS, level 3" not in told


def test_the_same_scenario_at_two_levels_is_no_repeat_of_itself() -> None:
    """A folder may hold several levels: each has its own pass rate, and its level stands beside its name."""
    runs = []
    for number, seeds in ((1, (1, 2)), (6, (3, 4)), (3, (5,))):
        for seed in seeds:
            one = msgspec.structs.replace(result(completion()), level=number, seed=seed)
            runs.append(assemble(one))
    found = repeats(Summary(runs=tuple(runs), duration_s=1.0))
    assert [(one.title, one.level, one.ran) for one in found] == [
        ("multi-worker-chaos level 1", 1, 2),
        ("multi-worker-chaos level 6", 6, 2),
    ]
