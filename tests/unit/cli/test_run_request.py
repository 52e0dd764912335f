"""What `capsize run` makes of its flags and of the environment, up to the moment it would begin."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from capsize.cli import invocation
from capsize.cli.invocation import Invocation
from capsize.rundir import encode
from capsize.scenarios import STANDARD


@pytest.fixture
def asked(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> list[Invocation]:
    """Collect the invocations instead of carrying them out; the output goes to a fresh folder."""
    collected: list[Invocation] = []

    def collect(invocation: Invocation) -> int:
        collected.append(invocation)
        return 0

    monkeypatch.setattr(invocation, "carry_out", collect)
    monkeypatch.chdir(tmp_path)
    return collected


def test_without_flags_all_scenarios_run_at_level_1(
    capsize: Callable[..., Any], asked: list[Invocation]
) -> None:
    """The guide's `test-chaos.sh` without arguments; run directories go to ./runs."""
    assert capsize("run").code == 0
    (one,) = asked
    assert [experiment.scenario for experiment in one.experiments] == list(STANDARD)
    assert {experiment.level.number for experiment in one.experiments} == {1}
    assert one.output == Path("runs")
    assert (one.platform, one.keep, one.as_json, one.verbose, one.base_url) == (
        "local",
        False,
        False,
        False,
        None,
    )


def test_scenarios_run_in_the_order_given_and_once(
    capsize: Callable[..., Any], asked: list[Invocation]
) -> None:
    """Spaces around names and repeated flags are fine; a name given twice runs once."""
    capsize("run", "--scenarios", "worker-restart, baseline,baseline", "--scenarios", "db-failure")
    assert [experiment.scenario for experiment in asked[0].experiments] == [
        "worker-restart",
        "baseline",
        "db-failure",
    ]


def test_flags_replace_the_level_s_figures_and_scale_them(
    capsize: Callable[..., Any], asked: list[Invocation]
) -> None:
    """Overrides are given in unscaled time, under the flags of the design."""
    flags = "--difficulty 2 --workers 3 --tasks 7 --task-delay 1.5 --deadline 20 --chaos-interval 4-8"
    capsize("run", "--scenarios", "multi-worker-chaos", *flags.split(), "--time-scale", "0.5")
    level = asked[0].experiments[0].level
    assert (level.workers, level.tasks, level.task_delay_s, level.deadline_s) == (3, 7, 0.75, 10.0)
    assert level.interval_s == (2.0, 4.0)
    assert level.time_scale == 0.5


def test_a_seed_that_is_not_given_is_drawn_and_reproduces_the_plan(
    capsize: Callable[..., Any], asked: list[Invocation]
) -> None:
    """The command in the summary holds the drawn seed, and makes byte-identical plans."""
    flags = ("--scenarios", "worker-restart", "--difficulty", "4", "--tasks", "9", "--chaos-interval", "2-3")
    capsize("run", *flags)
    capsize("run", *flags)
    first, second = asked
    assert first.experiments[0].seed != second.experiments[0].seed
    assert first.command.startswith("capsize run ")
    capsize(*first.command.split()[1:])
    assert list(map(encode, asked[2].experiments)) == list(map(encode, first.experiments))
    assert asked[2].command == first.command


def test_the_environment_of_the_guide_is_heard(
    capsize: Callable[..., Any],
    asked: list[Invocation],
    monkeypatch: pytest.MonkeyPatch,
    tmp_path: Path,
) -> None:
    """PORT, BASE_URL, OUTPUT_DIR and VERBOSE work as the guide has them."""
    values = {"PORT": "8080", "BASE_URL": "http://127.0.0.1:9/", "OUTPUT_DIR": "chaos-results"}
    for name, value in (values | {"VERBOSE": "true"}).items():
        monkeypatch.setenv(name, value)
    assert capsize("run").code == 0
    (one,) = asked
    assert one.base_url == "http://127.0.0.1:9"
    assert one.output == Path("chaos-results")
    assert (tmp_path / "chaos-results").is_dir()
    assert one.verbose
    assert getattr(one.system, "port", None) == 8080


def test_flags_win_over_the_environment(
    capsize: Callable[..., Any], asked: list[Invocation], monkeypatch: pytest.MonkeyPatch
) -> None:
    """What is typed is meant."""
    monkeypatch.setenv("PORT", "8080")
    monkeypatch.setenv("OUTPUT_DIR", "elsewhere")
    capsize("run", "--port", "9090", "--output", "here")
    assert getattr(asked[0].system, "port", None) == 9090
    assert asked[0].output == Path("here")


def test_a_broken_variable_is_a_usage_error(
    capsize: Callable[..., Any], asked: list[Invocation], monkeypatch: pytest.MonkeyPatch
) -> None:
    """A PORT that is no number is not silently left aside."""
    monkeypatch.setenv("PORT", "http")
    ran = capsize("run")
    assert ran.code == 64
    assert "PORT" in ran.err
    assert asked == []
