"""Carrying scenarios out: what each ending of a run becomes, in files, on stdout and as exit code.

The runner is played by small functions; the real one is at work in the acceptance tests.
"""

from __future__ import annotations

import asyncio
import json
import os
import signal
from collections.abc import Awaitable, Callable
from pathlib import Path
from typing import Any

import msgspec
import pytest

import capsize.runner
from capsize.cli import one
from capsize.cli.invocation import Invocation, carry_out, exit_code
from capsize.core.errors import HealError, NotSupported, StartError, UsageError
from capsize.core.events import Event, RunEnded
from capsize.core.experiment import Experiment
from capsize.core.history import History
from capsize.core.system import System
from capsize.core.verdict import Judgement, Result, ScenarioResult, Verdict
from capsize.journal import Journal
from capsize.rundir import RunDirectory
from capsize.systems import Starter
from support.literal_runs import completion, events, experiment, finding, judged, lost, retries

Play = Callable[..., Awaitable[None]]


class Stage:
    """Where a fake runner plays; ``play`` and ``verdicts`` are set by each test."""

    def __init__(self, output: Path) -> None:
        self.output = output
        self.results: tuple[Result, ...] = (completion(), retries(1))
        self.play: Play = whole
        self.asked: list[dict[str, Any]] = []

    async def execute(self, experiment: Experiment, **given: Any) -> None:
        """Stand in for :func:`capsize.runner.execute`."""
        self.asked.append({"experiment": experiment} | given)
        await self.play(experiment, **given)

    def judge(self, experiment: Experiment, history: History) -> Judgement:
        """Stand in for the checkers."""
        return judged(*self.results, scenario=experiment.scenario, number=experiment.level.number)

    def run(self, *experiments: Experiment, **changes: Any) -> int:
        """Carry experiments out, one small plan when none is given."""
        system: System = Starter()
        return carry_out(
            Invocation(
                experiments=experiments or (experiment(),),
                system=system,
                platform="local",
                output=self.output,
                command="capsize run --seed 7",
                **changes,
            )
        )

    @property
    def directories(self) -> list[Path]:
        """Return the run directories, the oldest first."""
        return sorted(path for path in self.output.iterdir() if path.is_dir())


async def whole(experiment: Experiment, *, directory: RunDirectory, observer: Any, **_: Any) -> None:
    """Write a run that ended in order."""
    _write(directory, events(), observer)


def _write(directory: RunDirectory, told: list[Event], observer: Any) -> None:
    journal = Journal(directory.history_path)
    for event in told:
        journal.record(event)
        observer(event)
    journal.close()


def raising(error: Exception) -> Play:
    """Return a runner that begins and then raises."""

    async def play(experiment: Experiment, *, directory: RunDirectory, observer: Any, **_: Any) -> None:
        _write(directory, events(whole=False), observer)
        raise error

    return play


def refusing(error: Exception) -> Play:
    """Return a runner that raises before it writes anything down."""

    async def play(experiment: Experiment, **_: Any) -> None:
        raise error

    return play


@pytest.fixture
def stage(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> Stage:
    """Put a fake runner and fake checkers in place."""
    made = Stage(tmp_path / "runs")
    made.output.mkdir()
    monkeypatch.setattr(capsize.runner, "execute", made.execute)
    monkeypatch.setattr(one, "judge", made.judge)
    return made


def test_a_passed_run_leaves_its_reports_and_exits_0(
    stage: Stage, capsys: pytest.CaptureFixture[str]
) -> None:
    """The run directory holds plan, history, verdict and reports; the summary stands beside it."""
    assert stage.run() == 0
    (directory,) = stage.directories
    assert {path.name for path in directory.iterdir()} == {
        "experiment.json",
        "history.jsonl",
        "logs",
        "metrics.prom",
        "report.html",
        "report.json",
        "report.md",
        "verdict.json",
    }
    assert json.loads((stage.output / "summary.json").read_text())["passed"] == 1
    out = capsys.readouterr().out
    assert " worker-restart: PASS (100.0%, 1 retry)" in out
    assert f"Replay: capsize replay {directory}" in out


def test_progress_is_plain_lines_when_nobody_watches(
    stage: Stage, capsys: pytest.CaptureFixture[str]
) -> None:
    """The seed first, strikes as they land, warnings, and not the quiet steps."""
    stage.run()
    lines = capsys.readouterr().out.splitlines()
    assert lines[0] == "Seed: 7"
    assert lines[1].startswith("[1/1] worker-restart: level 1 (Basic Resilience), seed 7, 1 strike planned")
    assert "     3.11  strike s1: kill worker-1: landed" in lines
    assert "     7.10  warning: the send queue was long for a moment" in lines
    assert not [line for line in lines if "about to strike" in line or "worker-1 exited" in line]


def test_verbose_tells_every_step(stage: Stage, capsys: pytest.CaptureFixture[str]) -> None:
    """All stages of strikes, changes of instances and notes."""
    stage.run(verbose=True)
    out = capsys.readouterr().out
    for line in ("about to strike", "worker-1 exited (pid 11, signal 9)", "info: nothing of interest"):
        assert line in out


def test_json_has_stdout_for_itself(stage: Stage, capsys: pytest.CaptureFixture[str]) -> None:
    """stdout is one JSON document; the progress is on stderr."""
    stage.run(as_json=True)
    told = capsys.readouterr()
    assert json.loads(told.out)["verdict"] == "PASS"
    assert "strike s1" in told.err


def test_a_failure_exits_1_and_the_others_still_run(stage: Stage) -> None:
    """One scenario that fails does not hide what the next one would have said."""
    stage.results = (lost(finding()),)
    assert stage.run(experiment(), experiment(scenario="baseline")) == 1
    assert len(stage.directories) == 2


def test_unknown_exits_2(stage: Stage) -> None:
    """A run that proves nothing is no success."""
    stage.results = (completion(1.0, Verdict.UNKNOWN),)
    assert stage.run() == 2


def test_partial_exits_0(stage: Stage) -> None:
    """A known weakness is within the criteria."""
    stage.results = (completion(1.0, Verdict.PARTIAL),)
    assert stage.run() == 0


def test_what_the_platform_can_t_do_is_skipped_with_the_reason(
    stage: Stage, capsys: pytest.CaptureFixture[str]
) -> None:
    """SKIPPED is never PASS: with nothing else run the exit code is 2, and no empty directory stays."""
    stage.play = refusing(NotSupported("a service that runs already can't be killed"))
    assert stage.run(base_url="http://127.0.0.1:9") == 2
    assert stage.directories == []
    assert stage.asked[0]["base_url"] == "http://127.0.0.1:9"
    assert " worker-restart: SKIPPED (a service that runs already can't be killed)" in capsys.readouterr().out


def test_a_skipped_scenario_does_not_spoil_a_pass(stage: Stage) -> None:
    """What ran decides."""

    async def play(experiment: Experiment, **given: Any) -> None:
        if experiment.scenario == "db-failure":
            raise NotSupported("no")
        await whole(experiment, **given)

    stage.play = play
    assert stage.run(experiment(), experiment(scenario="db-failure")) == 0


def test_a_system_that_does_not_start_is_unknown(stage: Stage, capsys: pytest.CaptureFixture[str]) -> None:
    """No verdict about the service follows, even if every claim would hold for what was recorded."""
    stage.play = raising(StartError("the API did not get ready in 30 s"))
    assert stage.run() == 2
    assert "UNKNOWN" in capsys.readouterr().out


def test_what_could_not_be_healed_is_a_failure(stage: Stage, capsys: pytest.CaptureFixture[str]) -> None:
    """The message names what is left."""
    stage.play = raising(HealError("worker-1 is still frozen"))
    assert stage.run() == 1
    assert "worker-1 is still frozen" in capsys.readouterr().out


def test_a_usage_error_of_the_runner_ends_it_all(stage: Stage) -> None:
    """It is raised before anything was started, and leaves no directory."""
    stage.play = refusing(UsageError("there is no fault 'kil'"))
    with pytest.raises(UsageError):
        stage.run()
    assert stage.directories == []


def test_a_crash_of_capsize_exits_70_with_its_trace_in_the_run_directory(
    stage: Stage, capsys: pytest.CaptureFixture[str]
) -> None:
    """The person is told where it is kept, not shown a traceback; later scenarios are not begun."""
    stage.play = raising(KeyError("what"))
    assert stage.run(experiment(), experiment(scenario="baseline")) == 70
    (directory,) = stage.directories
    assert "KeyError: 'what'" in (directory / "crash.txt").read_text()
    told = capsys.readouterr()
    assert str(directory / "crash.txt") in told.err
    assert "Traceback" not in told.out + told.err
    assert " baseline: SKIPPED (not begun: capsize broke before)" in told.out


def test_checkers_that_break_as_a_whole_are_a_crash(stage: Stage, monkeypatch: pytest.MonkeyPatch) -> None:
    """A run that can't be judged never passes, and its history stays."""

    def broken(experiment: Experiment, history: History) -> Judgement:
        raise ZeroDivisionError

    monkeypatch.setattr(one, "judge", broken)
    assert stage.run() == 70
    (directory,) = stage.directories
    assert (directory / "history.jsonl").stat().st_size > 0
    assert json.loads((directory / "report.json").read_text())["status"] == "UNKNOWN"


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM, signal.SIGHUP])
def test_a_signal_heals_stops_and_is_still_reported(stage: Stage, number: signal.Signals) -> None:
    """The run is cancelled and finishes its healing, a second signal or not; the exit code is the signal's."""
    healed = []

    async def play(experiment: Experiment, *, directory: RunDirectory, observer: Any, **_: Any) -> None:
        told = events(whole=False)
        try:
            os.kill(os.getpid(), number)
            await asyncio.sleep(60)
        except asyncio.CancelledError:
            os.kill(os.getpid(), number)
            await asyncio.sleep(0.05)
            healed.append(True)
            _write(directory, [*told, RunEnded(t=9.0, how="interrupted")], observer)
            raise

    stage.play = play
    assert stage.run(experiment(), experiment(scenario="baseline")) == 128 + number
    assert healed == [True]
    whole_summary = json.loads((stage.output / "summary.json").read_text())
    assert [run["status"] for run in whole_summary["runs"]] == ["UNKNOWN", "SKIPPED"]
    assert number.name in whole_summary["runs"][0]["reason"]


def test_a_failure_that_was_proved_outweighs_an_interrupt() -> None:
    """Exit codes: a crash first, a failure next, then the signal, then the verdict."""
    assert exit_code(Verdict.FAIL, 130, crashed=False) == 1
    assert exit_code(Verdict.PASS, 130, crashed=False) == 130
    assert exit_code(Verdict.UNKNOWN, 143, crashed=False) == 143
    assert exit_code(Verdict.FAIL, 130, crashed=True) == 70
    assert exit_code(Verdict.UNKNOWN, 0, crashed=False) == 2


def test_a_display_that_breaks_does_not_touch_the_run(stage: Stage, monkeypatch: pytest.MonkeyPatch) -> None:
    """An observer runs inside the recording: what it raises must never reach it."""
    from capsize.cli.display import Plain

    def broken(self: Plain, event: Event) -> None:
        raise BrokenPipeError

    monkeypatch.setattr(Plain, "observe", broken)
    assert stage.run() == 0


def test_what_was_not_steady_has_a_line_of_its_own(stage: Stage, capsys: pytest.CaptureFixture[str]) -> None:
    """Nothing was harmed, so nothing failed: NOT STEADY with the reason, and exit code 2."""

    async def play(experiment: Experiment, *, directory: RunDirectory, observer: Any, **_: Any) -> None:
        ended = RunEnded(t=4.0, how="not_steady", detail="not ready: worker-2; nothing was harmed")
        _write(directory, [*events(whole=False)[:6], ended], observer)

    stage.play = play
    stage.results = (completion(0.0, Verdict.UNKNOWN),)
    assert stage.run() == 2
    told = capsys.readouterr().out
    assert " worker-restart: NOT STEADY (not ready: worker-2; nothing was harmed)" in told
    whole = json.loads((stage.output / "summary.json").read_text())
    assert (whole["runs"][0]["status"], whole["failed"], whole["unknown"]) == ("NOT STEADY", 0, 1)


def test_a_broken_scenario_is_an_error_beside_the_others(
    stage: Stage, capsys: pytest.CaptureFixture[str]
) -> None:
    """A line on stderr, ERROR in the summary, and 64 instead of 0; a failure that was proved still wins."""
    broken = ScenarioResult(
        scenario="./mine.py",
        level=1,
        seed=7,
        verdict=Verdict.UNKNOWN,
        duration_s=0.0,
        skipped=True,
        invalid=True,
        reason="its plan raised ValueError: no",
    )
    assert stage.run(invalid=(broken,)) == 64
    told = capsys.readouterr()
    assert told.err.startswith("capsize run: ./mine.py: its plan raised ValueError: no\n")
    assert " ./mine.py: ERROR (its plan raised ValueError: no)" in told.out
    assert "Passed: 1\nFailed: 0\nErrors: 1\nSuccess rate: 100%" in told.out
    whole = json.loads((stage.output / "summary.json").read_text())
    assert (whole["exit_code"], whole["errors"], whole["skipped"]) == (64, 1, 0)
    stage.results = (lost(finding()),)
    assert stage.run(invalid=(broken,)) == 1


def test_the_level_of_a_scaled_run_is_not_claimed(stage: Stage, capsys: pytest.CaptureFixture[str]) -> None:
    """The scale is in the heading, in the summary's first line, and in the JSON."""
    plan = experiment()
    scaled = msgspec.structs.replace(plan, level=msgspec.structs.replace(plan.level, time_scale=0.1))
    stage.run(scaled)
    out = capsys.readouterr().out
    assert "Chaos Testing Results - scaled by 0.1: a quick look, not level 1" in out
    assert json.loads((stage.output / "summary.json").read_text())["time_scale"] == 0.1


def test_a_page_that_can_t_be_written_takes_nothing_from_the_verdict(
    stage: Stage, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    """It is a defect of capsize's own: said on stderr, with its trace, and the run keeps its verdict and reports."""

    def broken(*_: object) -> None:
        raise RuntimeError("no ink")

    monkeypatch.setattr(one, "write_page", broken)
    assert stage.run() == 0
    assert "report.html could not be written: RuntimeError: no ink" in capsys.readouterr().err
    (directory,) = stage.directories
    assert "no ink" in (directory / "crash.txt").read_text()
    assert (directory / "report.json").is_file()
