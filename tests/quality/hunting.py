"""Runs a scenario against the starter, sound or with a planted defect, and judges it."""

from __future__ import annotations

import sys
from pathlib import Path

import uvloop

from capsize.checkers import judge
from capsize.core.levels import level
from capsize.core.verdict import Judgement, Verdict
from capsize.rundir import RunDirectory
from capsize.runner import execute
from capsize.scenarios import SCENARIOS
from capsize.systems import Starter
from quality.planted import DEFECTS
from quality.planted.model import Hunt

DEFECTIVE = Path(__file__).with_name("defective.py")


def run(hunt: Hunt, output: Path, *, defect: str | None = None) -> tuple[Judgement, Path]:
    """Carry a hunt's scenario out and return the judgement and the run directory."""
    figures = level(hunt.level, **hunt.overrides)
    experiment = SCENARIOS[hunt.scenario].plan(figures, hunt.seed)
    directory = RunDirectory.create(output, experiment)
    system = Starter((sys.executable, str(DEFECTIVE), defect)) if defect else Starter()
    uvloop.run(execute(experiment, directory=directory, system=system))
    judgement = judge(experiment, directory.history())
    directory.write_judgement(judgement)
    return judgement, directory.path


def outcome(defect: str, judgement: Judgement) -> str:
    """Tell how a hunt came out: ``found``, ``not found``, or ``wrong anomaly`` with what was named instead."""
    named = {finding.anomaly for finding in judgement.findings}
    named |= {result.checker for result in judgement.results if result.verdict is Verdict.FAIL}
    if judgement.verdict is not Verdict.FAIL:
        return "not found"
    if DEFECTS[defect].shows & named:
        return "found"
    return f"wrong anomaly: {', '.join(sorted(named))}"
