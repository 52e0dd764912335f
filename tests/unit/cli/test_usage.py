"""Requests that make no sense end with 64 and one message, before anything is started."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from capsize.cli import invocation


@pytest.fixture(autouse=True)
def _nothing_starts(monkeypatch: pytest.MonkeyPatch) -> None:
    """Fail the test when a run is begun after all."""

    def begun(asked: Any) -> int:
        pytest.fail(f"a run was begun: {asked}")

    monkeypatch.setattr(invocation, "carry_out", begun)


@pytest.mark.parametrize(
    ("argv", "said"),
    [
        (["run", "--scenarios", "basline"], "did you mean 'baseline'?"),
        (["run", "--scenarios", "baseline,,db-failure"], "empty name"),
        (["run", "--scenarios", ""], "empty name"),
        (["run", "--difficulty", "7"], "no difficulty level 7; choose one from 1 to 6"),
        (["run", "--difficulty", "0"], "no difficulty level 0"),
        (["run", "--difficulty", "hard"], "'hard' is not a valid integer"),
        (["run", "--dificulty", "1"], "Did you mean '--difficulty'?"),
        (["run", "--workers", "-1"], "--workers is -1"),
        (["run", "--tasks", "0"], "--tasks is 0"),
        (["run", "--task-delay", "-1"], "--task-delay is -1"),
        (["run", "--task-delay", "nan"], "not a finite number"),
        (["run", "--deadline", "0"], "--deadline is 0"),
        (["run", "--deadline", "inf"], "not a finite number"),
        (["run", "--chaos-interval", "5"], "MIN-MAX"),
        (["run", "--chaos-interval", "10-5"], "MIN-MAX"),
        (["run", "--chaos-interval", "0-5"], "0 < MIN"),
        (["run", "--chaos-interval", "a-b"], "MIN-MAX"),
        (["run", "--time-scale", "0"], "--time-scale is 0"),
        (["run", "--time-scale", "-1"], "--time-scale is -1"),
        (["run", "--seed", "-5"], "--seed"),
        (["run", "--seed", "abc"], "--seed"),
        (["run", "--repeat", "0"], "--repeat"),
        (["run", "--jobs", "0"], "neither auto nor a number"),
        (["run", "--jobs", "many"], "neither auto nor a number"),
        (["run", "--jobs", "2", "--port", "3000"], "only one can have port 3000"),
        (["run", "--jobs", "auto", "--base-url", "http://127.0.0.1:1"], "Use --jobs 1"),
        (["run", "--scenarios", "./nope.py"], "can't be read"),
        (["run", "--scenarios", "baseline,./nope.py"], "can't be read"),
        (["run", "--platform", "locl"], "did you mean 'local'?"),
        (["run", "--system", "starer"], "did you mean 'starter'?"),
        (["run", "--port", "70000"], "--port"),
        (["run", "--base-url", "localhost:3000"], "not an address"),
        (["run", "--base-url", "http://"], "not an address"),
        (["run", "--base-url", "http://host:abc"], "--base-url"),
        (["run", "surplus"], "unexpected extra argument"),
        (["list"], "Missing argument"),
        (["list", "level"], "'level' is not one of"),
        (["list", "levels", "--json", "--markdown"], "exclude each other"),
        (["judge"], "RUN"),
        (["judge", "/nonexistent"], "is not a run directory"),
        (["report", "/nonexistent"], "is not a run directory"),
        (["replay", "/nonexistent"], "is not a run directory"),
        (["report", "/nonexistent", "--format", "pdf"], "'pdf' is not one of"),
        (["strike", "explode", "--service", "api"], "'explode' is not one of"),
        (["strike", "kill"], "--service"),
        (["strike", "kill", "--service", "api", "--delay", "3"], "--delay has no meaning for kill"),
        (["strike", "stop", "--service", "api", "--delay", "-1"], "can't be negative"),
        (["up", "--port", "0"], "--port"),
        (["up", "--workers", "-1"], "--workers"),
        (["rnu"], "Did you mean 'run'?"),
        (["--no-such-flag"], "No such option"),
    ],
    ids=lambda value: " ".join(value) if isinstance(value, list) else "",
)
def test_a_usage_error_is_64_and_one_message(capsize: Callable[..., Any], argv: list[str], said: str) -> None:
    """The message says where and what, a second line says where help is, and stdout stays empty."""
    ran = capsize(*argv)
    assert ran.code == 64
    assert said in ran.err
    first, *others = ran.err.strip().splitlines()
    assert first.startswith("capsize")
    assert [line for line in others if line.startswith("Try: capsize")]
    assert "Traceback" not in ran.err
    assert ran.out == ""


def test_an_output_that_can_t_be_written_to_is_a_usage_error(
    capsize: Callable[..., Any], tmp_path: Path
) -> None:
    """A file in the way is found out before the first scenario begins."""
    (tmp_path / "file").write_text("")
    ran = capsize("run", "--output", str(tmp_path / "file" / "runs"))
    assert ran.code == 64
    assert "can't be written to" in ran.err


def test_a_directory_of_runs_names_its_newest(capsize: Callable[..., Any], tmp_path: Path) -> None:
    """Giving the folder of all runs is the likely mistake; the message has the path that was meant."""
    for name in ("20250101T000000-a", "20260101T000000-a"):
        (tmp_path / name).mkdir()
        (tmp_path / name / "experiment.json").write_text("{}")
    ran = capsize("judge", str(tmp_path))
    assert ran.code == 64
    assert str(tmp_path / "20260101T000000-a") in ran.err


def test_no_command_shows_the_help_and_is_a_usage_error(capsize: Callable[..., Any]) -> None:
    """`capsize` alone did nothing, so it can't end with 0."""
    ran = capsize()
    assert ran.code == 64
    assert "Commands:" in ran.err
