"""`capsize judge`, `report` and `replay`: everything from a run directory alone."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from capsize.cli import invocation, one
from capsize.cli.invocation import Invocation
from capsize.core.experiment import Experiment
from capsize.core.history import History
from capsize.core.verdict import Judgement
from support.literal_runs import completion, finding, judged, lost, retries, write_run


@pytest.fixture
def judgements(monkeypatch: pytest.MonkeyPatch) -> list[History]:
    """Have every history judged as lost work, and collect the histories."""
    seen: list[History] = []

    def judge(experiment: Experiment, history: History) -> Judgement:
        seen.append(history)
        return judged(lost(finding()), scenario=experiment.scenario, number=experiment.level.number)

    monkeypatch.setattr(one, "judge", judge)
    return seen


def test_judge_judges_again_and_exits_with_the_verdict(
    capsize: Callable[..., Any], judgements: list[History], tmp_path: Path
) -> None:
    """The stale verdict is replaced, the reports are written, and FAIL exits 1."""
    directory = write_run(tmp_path)
    directory.write_judgement(judged(completion(), retries(0)))
    ran = capsize("judge", str(directory.path))
    assert ran.code == 1
    assert "worker-restart: FAIL" in ran.out
    renewed = directory.judgement()
    assert renewed is not None
    assert renewed.findings
    assert (directory.path / "report.md").is_file()


def test_report_uses_the_verdict_that_is_there_and_changes_nothing(
    capsize: Callable[..., Any], judgements: list[History], tmp_path: Path
) -> None:
    """Reading a report twice gives the same, and the directory stays as it was."""
    directory = write_run(tmp_path)
    directory.write_judgement(judged(completion(), retries(4)))
    before = {path: path.stat().st_mtime_ns for path in directory.path.rglob("*")}
    ran = capsize("report", str(directory.path))
    assert ran.code == 0
    assert "worker-restart: PASS (100.0%, 4 retries)" in ran.out
    assert judgements == []
    assert {path: path.stat().st_mtime_ns for path in directory.path.rglob("*")} == before


def test_report_tells_a_run_that_was_cut_off_in_mid_line(
    capsize: Callable[..., Any], judgements: list[History], tmp_path: Path
) -> None:
    """capsize was killed: the last phase, the strike and the tasks up to there are told all the same."""
    directory = write_run(tmp_path, whole=False, torn=True)
    ran = capsize("report", str(directory.path))
    assert ran.code == 0
    assert "in phase chaos (cut off)" in ran.out
    assert "1 task accepted, 0 done, 0 retries, 1 of 1 planned strike landed" in ran.out
    assert "strike s1: kill worker-1: landed" in ran.out
    assert judgements[0].truncated


@pytest.mark.parametrize(("form", "begins"), [("json", "{"), ("markdown", "# "), ("terminal", " Chaos")])
def test_each_form_of_report_stands_alone_on_stdout(
    capsize: Callable[..., Any], judgements: list[History], tmp_path: Path, form: str, begins: str
) -> None:
    """Nothing else is on stdout, so that it can be piped."""
    ran = capsize("report", str(write_run(tmp_path).path), "--format", form)
    assert ran.out.startswith(begins)
    if form == "json":
        assert json.loads(ran.out)["scenario"] == "worker-restart"


def test_a_history_with_a_broken_line_is_refused(
    capsize: Callable[..., Any], judgements: list[History], tmp_path: Path
) -> None:
    """A line in the middle that can't be read is no cut-off: the record was changed, and no verdict follows."""
    directory = write_run(tmp_path)
    text = directory.history_path.read_text().replace('"kind":"phase"', '"kind":"fase"', 1)
    directory.history_path.write_text(text)
    ran = capsize("judge", str(directory.path))
    assert ran.code == 64
    assert "line 2" in ran.err


def test_replay_carries_out_the_same_plan(
    capsize: Callable[..., Any], monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    """The experiment comes from the run directory, byte for byte, and so do platform and system."""
    directory = write_run(tmp_path)
    asked: list[Invocation] = []

    def collect(given: Invocation) -> int:
        asked.append(given)
        return 0

    monkeypatch.setattr(invocation, "carry_out", collect)
    assert capsize("replay", str(directory.path), "--output", str(tmp_path / "again")).code == 0
    assert asked[0].experiments == (directory.experiment(),)
    assert (asked[0].platform, asked[0].system.name) == ("local", "starter")
    assert asked[0].output == tmp_path / "again"


def test_replay_of_a_run_that_never_began_uses_the_defaults(
    capsize: Callable[..., Any], monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    """A plan alone is enough to replay it."""
    directory = write_run(tmp_path)
    directory.history_path.unlink()
    asked: list[Invocation] = []
    monkeypatch.setattr(invocation, "carry_out", lambda given: asked.append(given) or 0)
    assert capsize("replay", str(directory.path), "--output", str(tmp_path / "again")).code == 0
    assert asked[0].platform == "local"
