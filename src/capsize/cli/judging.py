"""``capsize judge``: from a run directory alone, also after a crash."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

import click

from capsize.cli.options import json_option, program

if TYPE_CHECKING:
    from capsize.core.experiment import Experiment
    from capsize.core.history import History
    from capsize.core.verdict import Judgement
    from capsize.report import RunReport
    from capsize.rundir import RunDirectory

run_argument = click.argument("run", type=click.Path(path_type=Path))


@click.command("judge", short_help="Judge a recorded run again.")
@run_argument
@json_option
def judge_command(run: Path, as_json: bool) -> int:
    """Judge a recorded run again: read RUN/history.jsonl, write verdict.json and the reports.

    The exit code is the verdict's: 0 pass or partial, 1 fail, 2 nothing proved.
    """
    from capsize.cli.one import judge
    from capsize.report import document, terminal
    from capsize.report.files import write_page, write_run

    directory = open_run(run)
    experiment, history = directory.experiment(), directory.history()
    judgement = judge(experiment, history)
    directory.write_judgement(judgement)
    report = report_of(directory, experiment, history, judgement)
    write_run(report, directory.path)
    write_page(report, directory.path, experiment, history)
    click.echo(document.run(report) if as_json else terminal.run(report), nl=False)
    return report.result.verdict.exit_code


def open_run(path: Path) -> RunDirectory:
    """Open a run directory; what only holds run directories names its newest. Raises UsageError."""
    from capsize.core.errors import UsageError
    from capsize.rundir import RunDirectory

    if not (path / "experiment.json").is_file():
        inside = sorted(found.parent for found in path.glob("*/experiment.json"))
        if inside:
            raise UsageError(f"{path} holds run directories and is none itself; the newest is {inside[-1]}")
    return RunDirectory.open(path)


def report_of(
    directory: RunDirectory, experiment: Experiment, history: History, judgement: Judgement
) -> RunReport:
    """Return the report of a recorded run; its duration is that of its history."""
    from capsize.cli.one import stopped_by
    from capsize.core.verdict import ScenarioResult
    from capsize.report import assemble

    stopped, aborted = stopped_by(history, "not_steady"), stopped_by(history, "aborted")
    result = ScenarioResult(
        scenario=experiment.scenario,
        level=experiment.level.number,
        seed=experiment.seed,
        verdict=judgement.verdict,
        duration_s=history.end_s,
        not_steady=stopped is not None,
        aborted=aborted is not None,
        reason=stopped or aborted or "",
        run_dir=str(directory.path),
        time_scale=experiment.level.time_scale,
        judgement=judgement,
    )
    return assemble(result, experiment, history, program=program())
