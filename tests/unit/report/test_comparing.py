"""Two sides compared: what changed, how sure that is, and whether it is too much."""

from __future__ import annotations

import json
import random

import msgspec
import pytest

from capsize.core.errors import UsageError
from capsize.core.verdict import Result, ScenarioResult, Verdict, worst
from capsize.report import RunReport, assemble
from capsize.report.comparing import Side, compare, judge_thresholds, parse_threshold, telling
from capsize.report.comparing.compare import Change, Comparison
from capsize.report.comparing.noise import rates, shift
from capsize.report.comparing.thresholds import Outcome
from support.literal_runs import finding, judged, lost, skipped


def run(recovery: float, *others: Result, seed: int = 42, scenario: str = "recovery") -> RunReport:
    """Return a run with one recovery time, and what else was claimed."""
    timed = Result(
        checker="recovery",
        verdict=Verdict.PASS,
        summary="",
        measures={"recovery_max_s": recovery, "recovery_n": 3},
    )
    results = (timed, *others)
    judgement = msgspec.structs.replace(judged(*results), seed=seed, scenario=scenario)
    verdict = worst(result.verdict for result in results)
    return assemble(
        ScenarioResult(
            scenario=scenario, level=1, seed=seed, verdict=verdict, duration_s=1.0, judgement=judgement
        )
    )


def rate(ratio: float, low: float, high: float) -> Result:
    """Return a completion with its interval."""
    measures = {"completion_ratio": ratio, "completion_low": low, "completion_high": high}
    return Result(checker="completion", verdict=Verdict.PASS, summary="", measures=measures)


def sides(before: list[RunReport], after: list[RunReport]) -> Comparison:
    """Return two sides compared."""
    return compare(Side(name="old", runs=tuple(before)), Side(name="new", runs=tuple(after)))


def change(comparison: Comparison, figure: str) -> Change:
    """Return one figure's change in the first scenario."""
    return next(one for one in comparison.compared[0].changes if one.figure == figure)


def outcome(text: str, comparison: Comparison, *, only_sure: bool = False) -> Outcome:
    """Return what becomes of one threshold."""
    (one,) = judge_thresholds(comparison, (parse_threshold(text),), only_sure=only_sure)
    return one


# ---------------------------------------------------------------- how sure


@pytest.mark.parametrize(("n", "known"), [(1, False), (3, False), (4, True), (10, True)])
def test_too_few_values_have_no_interval(n: int, known: bool) -> None:
    """With three runs on each side nothing can be said at 95%, and nothing is."""
    assert (shift([1.0 + i for i in range(n)], [2.0 + i for i in range(n)]) is not None) is known


def test_a_shift_is_found_and_noise_is_not() -> None:
    """The interval of a clear shift holds it and leaves zero out; that of none holds zero."""
    before = [1.0, 1.1, 0.9, 1.05, 0.95, 1.02]
    low, high = shift(before, [value + 1 for value in before]) or (0.0, 0.0)
    assert 0.5 < low <= 1 <= high < 1.5
    low, high = shift(before, [1.03, 0.97, 1.08, 0.92, 1.0, 1.01]) or (1.0, 1.0)
    assert low < 0 < high


def test_the_interval_holds_what_it_promises() -> None:
    """Over many pairs of samples of the same distribution about 95% of the intervals hold zero."""
    dice = random.Random(7)
    held = 0
    for _ in range(400):
        a, b = ([dice.lognormvariate(0, 0.5) for _ in range(8)] for _ in range(2))
        low, high = shift(a, b) or (1.0, 1.0)
        held += low <= 0 <= high
    assert held >= 370


def test_large_samples_are_thinned_and_still_found() -> None:
    """Thousands of recoveries must not make millions of pairs."""
    before = [i / 1000 for i in range(3000)]
    low, high = shift(before, [value + 0.5 for value in before]) or (0.0, 0.0)
    assert 0.35 < low <= 0.5 <= high < 0.65


def test_rates_use_the_interval_that_each_has() -> None:
    """Ten of ten against five of ten: the difference is sure; nine against eight is not."""
    assert rates(1.0, (0.72, 1.0), 0.5, (0.24, 0.76))[1] < 0
    low, high = rates(0.9, (0.6, 0.98), 0.8, (0.49, 0.94))
    assert low < 0 < high


# ---------------------------------------------------------------- what changed


def test_figures_of_many_runs_are_compared_by_their_median() -> None:
    """One slow run of five on a side is no slower service."""
    compared = sides([run(t) for t in (1.0, 1.1, 0.9, 1.0, 9.0)], [run(t) for t in (2.0, 2.1, 1.9, 2.0, 2.2)])
    seen = change(compared, "recovery_max_s")
    assert (seen.before, seen.after, seen.n_before, seen.n_after) == (1.0, 2.0, 5, 5)
    assert seen.relative == 1.0
    assert seen.low is not None


def test_one_lost_task_in_ten_runs_is_no_median() -> None:
    """Anomalies are counted by their mean: they may not hide behind nine good runs."""
    broken = run(1.0, lost(finding()))
    compared = sides([run(1.0, lost())] * 10, [run(1.0, lost())] * 9 + [broken])
    assert change(compared, "lost").after == 0.1
    assert change(compared, "anomalies").change == 0.1
    assert change(compared, "verdict").after == float(Verdict.FAIL)


def test_only_what_is_comparable_is_compared() -> None:
    """Scenario, level and time scale must be the same; skipped runs are left out, and the rest is named."""
    scaled = msgspec.structs.replace(
        run(1.0), result=msgspec.structs.replace(run(1.0).result, time_scale=0.5)
    )
    compared = sides([run(1.0), run(1.0, scenario="old-one"), assemble(skipped())], [run(1.0), scaled])
    assert [one.scenario for one in compared.compared] == ["recovery"]
    assert compared.only_before == ("old-one level 1",)
    assert compared.only_after == ("recovery level 1, scaled by 0.5",)


def test_other_seeds_and_few_runs_are_said() -> None:
    """A reader must not take the noise of two runs for a change of the service."""
    text = telling.terminal(sides([run(1.0, seed=1)], [run(1.3, seed=2)]), ())
    assert "The seeds differ" in text
    assert "fewer than 4 runs" in text
    assert "noise not known" in text


def test_the_recoveries_of_two_runs_have_an_interval_of_their_own() -> None:
    """With one run on each side the single recoveries are the only sample there is."""
    compared = compare(
        Side(name="a", runs=(run(1.0),), recoveries=(0.3, 0.31, 0.32, 0.33, 0.34)),
        Side(name="b", runs=(run(2.0),), recoveries=(0.63, 0.64, 0.65, 0.66, 0.67)),
    )
    seen = change(compared, "recovery_each_s")
    assert seen.sure is True
    assert seen.basis == "the recoveries of one run each"


# ---------------------------------------------------------------- thresholds


@pytest.mark.parametrize(
    ("text", "kind", "limit"),
    [
        ("recovery_max_s > +20%", "share", 0.2),
        ("recovery_max_s>+2", "change", 2.0),
        ("recovery_max_s >= 5", "value", 5.0),
        ("completion_ratio < -5%", "share", -0.05),
        ("landed.strikes <= -0.5", "change", -0.5),
    ],
)
def test_a_threshold_is_a_value_a_change_or_a_share(text: str, kind: str, limit: float) -> None:
    """A sign makes it a change, a per cent sign a share of what was."""
    parsed = parse_threshold(text)
    assert (parsed.kind, parsed.limit) == (kind, pytest.approx(limit))


@pytest.mark.parametrize(
    "text", ["", "recovery", "recovery > ", "> 5", "a > 20%", "a = 5", "a > +x%", "a > 5; b"]
)
def test_what_is_no_threshold_is_refused(text: str) -> None:
    """A threshold that never fires would be worse than none."""
    with pytest.raises(UsageError, match="--fail-if"):
        parse_threshold(text)


@pytest.mark.parametrize(
    ("text", "state"),
    [
        ("recovery_max_s > +20%", "crossed"),
        ("recovery_max_s > +30%", "kept"),
        ("recovery_max_s > +0.2", "crossed"),
        ("recovery_max_s > +0.3", "kept"),
        ("recovery_max_s > 1.2", "crossed"),
        ("recovery_max_s > 1.3", "kept"),
        ("recovery_max_s < -10%", "kept"),
        ("recovery.recovery_max_s > +20%", "crossed"),
        ("recovery_n < 4", "crossed"),
        ("verdict > +0", "kept"),
    ],
)
def test_thresholds_cross_when_they_are_crossed(text: str, state: str) -> None:
    """From 1 s to 1.25 s; a measure may be named with its checker, and any measure may be named."""
    comparison = compare(
        Side(name="a", runs=(run(1.0),)),
        Side(name="b", runs=(run(1.25),)),
        [parse_threshold(text).figure],
    )
    assert outcome(text, comparison).state == state


def test_a_new_anomaly_crosses_a_threshold_of_nothing() -> None:
    """From none to one: no share of nothing, and still a change."""
    comparison = sides([run(1.0, lost())], [run(1.0, lost(finding()))])
    assert outcome("lost > +0", comparison).state == "crossed"
    assert outcome("lost > +1000%", comparison).state == "crossed"
    assert outcome("verdict > +0", comparison).state == "crossed"


def test_a_figure_on_one_side_only_is_missing() -> None:
    """It can't be judged, which is neither kept nor crossed."""
    comparison = sides([run(1.0)], [run(1.0, rate(0.9, 0.6, 0.98))])
    assert outcome("completion_ratio < -5%", comparison).state == "missing"


def test_a_figure_that_nobody_has_is_refused_with_what_is_near() -> None:
    """A misspelt figure must not pass for ever."""
    with pytest.raises(UsageError, match=r"no run has the figure recovry_max_s; near it: recovery_max_s"):
        outcome("recovry_max_s > +20%", sides([run(1.0)], [run(2.0)]))


def test_only_sure_crossings_count_when_asked_so() -> None:
    """Few runs and wide intervals are unsure; a clear shift over enough runs is crossed all the same."""
    few = sides([run(1.0)], [run(2.0)])
    assert outcome("recovery_max_s > +20%", few, only_sure=True).state == "unsure"
    steady = [1.0, 1.01, 0.99, 1.02, 0.98]
    many = sides([run(t) for t in steady], [run(2 * t) for t in steady])
    assert outcome("recovery_max_s > +20%", many, only_sure=True).state == "crossed"
    wide = sides([run(t) for t in (1, 5, 2, 4, 3)], [run(t) for t in (2, 6, 3, 5, 4)])
    assert outcome("recovery_max_s > +20%", wide, only_sure=True).state == "unsure"


# ---------------------------------------------------------------- forms


def test_every_form_tells_the_changes_and_the_thresholds() -> None:
    """Terminal for a person, Markdown for a pull request, JSON for a script."""
    comparison = sides([run(1.0, rate(1.0, 0.72, 1.0))], [run(2.0, rate(0.5, 0.24, 0.76))])
    outcomes = (outcome("recovery_max_s > +20%", comparison),)
    text = telling.terminal(comparison, outcomes)
    assert "CROSSED: recovery_max_s > +20%, recovery level 1: recovery_max_s: +100.0%" in text
    assert "-50.0 points" in text
    assert "sure: 95%" in text
    page = telling.markdown(comparison, outcomes)
    assert page.startswith("# Chaos testing compared: 1 threshold crossed")
    assert "| recovery_max_s | 1.00 s | 2.00 s | +100% | noise not known |" in page
    document = json.loads(telling.json(comparison, outcomes))
    told = {one["figure"]: one for one in document["compared"][0]["changes"]}
    assert told["recovery_max_s"]["relative"] == 1.0
    assert told["completion_ratio"]["sure"] is True
    assert document["thresholds"][0]["state"] == "crossed"
