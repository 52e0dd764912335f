"""Seeds, repetitions, rounds of jobs: what is asked for becomes which runs, in which order, and how many at once."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import msgspec
import pytest

from capsize.cli import invocation, schedule
from capsize.cli.invocation import Invocation
from capsize.cli.options import SEED_MAX
from capsize.cli.planning import plan
from capsize.cli.schedule import Round, rounds
from capsize.core.errors import UsageError
from capsize.core.experiment import Experiment, LoadPlan, Phase, Spec
from capsize.core.levels import level
from capsize.scenarios import SCENARIOS
from capsize.scenarios.minimum import least_s


@pytest.fixture
def asked(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> list[Invocation]:
    """Collect the invocations instead of carrying them out."""
    collected: list[Invocation] = []
    monkeypatch.setattr(invocation, "carry_out", lambda one: collected.append(one) or 0)
    monkeypatch.chdir(tmp_path)
    return collected


def lasting(name: str, seconds: float) -> Experiment:
    """Return an experiment that takes so long."""
    return Experiment(
        scenario=name,
        purpose="",
        level=level(1),
        seed=1,
        replicas={"worker": 2},
        phases=(Phase(name="chaos", limit_s=seconds),),
    )


def test_repeats_take_the_next_seeds_scenario_by_scenario() -> None:
    """The seed, the seed plus one ...: anybody can tell from the first which the others were."""
    made = plan(["baseline,db-failure"], level(1), 40, 3).experiments
    assert [(one.scenario, one.seed) for one in made] == [
        ("baseline", 40), ("baseline", 41), ("baseline", 42),
        ("db-failure", 40), ("db-failure", 41), ("db-failure", 42),
    ]  # fmt: skip


def test_seeds_beyond_the_largest_are_refused() -> None:
    """The last seed is looked at, not only the first."""
    assert plan(["baseline"], level(1), SEED_MAX, 1).experiments
    with pytest.raises(UsageError, match="beyond the largest seed"):
        plan(["baseline"], level(1), SEED_MAX, 2)


def test_what_measures_speed_is_named_as_alone() -> None:
    """The scenarios themselves say so, and among all of them some do and some do not."""
    made = plan([], level(1), 1)
    assert made.alone == {name for name, scenario in SCENARIOS.items() if scenario.alone}
    assert made.alone
    assert made.alone < set(SCENARIOS)


def test_a_broken_scenario_harms_no_other(tmp_path: Path) -> None:
    """It is reported as invalid and the other is planned; with nothing else it is a usage error."""
    path = tmp_path / "broken.py"
    path.write_text("raise ValueError('no')\n")
    made = plan([f"{path},baseline"], level(1), 1)
    assert [one.scenario for one in made.experiments] == ["baseline"]
    (invalid,) = made.invalid
    assert invalid.invalid
    assert invalid.skipped
    assert "ValueError: no" in invalid.reason
    with pytest.raises(UsageError, match="ValueError: no"):
        plan([str(path)], level(1), 1)


def test_two_files_can_t_have_one_name(tmp_path: Path) -> None:
    """Their runs could not be told apart."""
    paths = []
    for folder in ("a", "b"):
        (tmp_path / folder).mkdir()
        paths.append(tmp_path / folder / "mine.py")
        paths[-1].write_text("from support.theirs import SCENARIO\n")
    made = plan([str(path) for path in paths], level(1), 1)
    assert len(made.experiments) == 1
    assert "is that of" in made.invalid[0].reason


def test_the_longest_run_is_begun_first() -> None:
    """Otherwise all would wait for it in the end; a number that was asked for takes every scenario."""
    made = [lasting("a", 1.0), lasting("b", 9.0), lasting("c", 5.0)]
    assert rounds(made, 2, {"b"}) == (Round(numbers=(1, 2, 0), jobs=2),)


def test_auto_keeps_what_measures_speed_alone(monkeypatch: pytest.MonkeyPatch) -> None:
    """Last, one by one; a round that would be empty is none."""
    monkeypatch.setattr(schedule, "auto_jobs", lambda: 3)
    made = [lasting("a", 1.0), lasting("b", 9.0), lasting("c", 5.0)]
    assert rounds(made, "auto", {"b"}) == (
        Round(numbers=(2, 0), jobs=3),
        Round(numbers=(1,), jobs=1),
    )
    assert rounds(made[:1], "auto", {"b"}) == (Round(numbers=(0,), jobs=3),)


def test_auto_is_at_least_one() -> None:
    """Also on the smallest machine."""
    assert schedule.auto_jobs() >= 1


def test_the_least_time_of_a_plan() -> None:
    """Phases that time ends take their limit, those that wait for work what a perfect service needs."""
    timed = lasting("a", 7.5)
    assert least_s(timed) == 7.5
    work = LoadPlan(load=Spec(name="tasks", args={"count": 10, "seconds": 2.0}), phases=("chaos", "drain"))
    settled = msgspec.structs.replace(
        timed,
        phases=(
            Phase(name="steady", limit_s=15.0, until="steady", at_least_s=0.5),
            Phase(name="chaos", limit_s=30.0, until="settled"),
            Phase(name="drain", limit_s=60.0, until="settled"),
        ),
        loads=(work,),
    )
    # Ten tasks of two seconds for two workers.
    assert least_s(settled) == pytest.approx(10.5)
    slow = msgspec.structs.replace(
        work, load=Spec(name="tasks", args={"count": 3, "seconds": 1.0, "rate": 0.5})
    )
    assert least_s(msgspec.structs.replace(settled, loads=(slow,))) == pytest.approx(5.5)


def test_the_flags_reach_the_invocation_and_the_command_that_repeats_it(
    capsize: Callable[..., Any], asked: list[Invocation]
) -> None:
    """`--repeat` and `--jobs` shape what is run, so they are in the command; without them they are not."""
    capsize("run", "--scenarios", "baseline", "--seed", "3", "--repeat", "2", "--jobs", "auto")
    capsize("run", "--scenarios", "baseline", "--seed", "3", "--jobs", "4")
    capsize("run", "--scenarios", "baseline", "--seed", "3")
    assert [(len(one.experiments), one.jobs) for one in asked] == [(2, "auto"), (1, 4), (1, 1)]
    assert asked[0].command.endswith("--seed 3 --platform local --repeat 2 --jobs auto")
    assert asked[2].command.endswith("--seed 3 --platform local")
