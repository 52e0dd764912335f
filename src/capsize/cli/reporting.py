"""``capsize report``: the story of a recorded run, or of a folder of runs, in any form."""

from __future__ import annotations

from contextlib import suppress
from pathlib import Path
from typing import TYPE_CHECKING

import click

from capsize.cli.judging import open_run, report_of, run_argument
from capsize.cli.options import program

if TYPE_CHECKING:
    from capsize.core.history import History
    from capsize.core.verdict import Judgement
    from capsize.report import RunReport, Summary
    from capsize.rundir import RunDirectory

FORMATS = ("terminal", "json", "markdown", "junit", "html")


@click.command("report", short_help="Tell the story of a recorded run, or of a folder of runs.")
@run_argument
@click.option(
    "--format",
    "form",
    type=click.Choice(FORMATS),
    default="terminal",
    show_default=True,
    help="How the report is written.",
)
@click.option(
    "--output",
    type=click.Path(path_type=Path),
    help="The file to write, - for stdout. Default: stdout; for html report.html in RUN, index.html in a folder.",
)
def report_command(run: Path, form: str, output: Path | None) -> int:
    """Tell the story of a recorded run, as far as it got, or of all the runs in a folder.

    Uses the verdict that is there; a run that was never judged, or was cut off, is judged on the spot.
    The exit code says only whether there was something to report.
    """
    several = not (run / "experiment.json").is_file() and any(run.glob("*/experiment.json"))
    if form == "html":
        path = _html_of_folder(run, output) if several else _html(run, output)
        if path is not None:
            click.echo(str(path))
        return 0
    from capsize.report import forms

    text = forms.SUMMARY[form](folder(run)) if several else forms.RUN[form](one_run(run))
    if output is None or str(output) == "-":
        click.echo(text, nl=False)
    else:
        write(output, text)
    return 0


def write(path: Path, text: str) -> None:
    """Write a report where the person wants it. Raises UsageError when that is not possible."""
    from capsize.core.errors import UsageError
    from capsize.report.files import replace

    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        replace(path, text)
    except OSError as error:
        raise UsageError(f"{path} can't be written: {error.strerror}. Give another file") from error


def folder(path: Path) -> Summary:
    """Return the runs of a folder in the order in which they began; those without a verdict are judged.

    Of a run that was judged only the end of its history is read: a folder may hold hundreds.
    """
    from capsize.report import Summary

    reports = tuple(_brief(found.parent) for found in sorted(path.glob("*/experiment.json")))
    return Summary(runs=reports, duration_s=sum(report.result.duration_s for report in reports))


def one_run(path: Path) -> RunReport:
    """Return one recorded run, judged on the spot if it never was. Raises UsageError when it is none."""
    directory = open_run(path)
    return _told(directory, directory.history(), directory.judgement())


def _brief(path: Path) -> RunReport:
    """Return one run of many; one that recorded nothing, or can't be read, is told as such."""
    from capsize import journal
    from capsize.core.errors import HistoryError, UsageError

    directory = open_run(path)
    try:
        judgement = directory.judgement()
        read = journal.read_end if judgement is not None else journal.read
        return _told(directory, read(directory.history_path), judgement)
    except (HistoryError, UsageError, ValueError) as error:
        return _unreadable(directory, str(error))


def _unreadable(directory: RunDirectory, why: str) -> RunReport:
    from capsize.core.errors import UsageError
    from capsize.core.verdict import ScenarioResult, Verdict
    from capsize.report import assemble

    try:
        plan = directory.experiment()
        named = (plan.scenario, plan.level.number, plan.seed)
    except UsageError:
        named = (directory.path.name, 0, 0)
    return assemble(
        ScenarioResult(
            scenario=named[0],
            level=named[1],
            seed=named[2],
            verdict=Verdict.UNKNOWN,
            duration_s=0.0,
            reason=why,
            run_dir=str(directory.path),
        ),
        program=program(),
    )


def _told(directory: RunDirectory, history: History, judgement: Judgement | None) -> RunReport:
    from capsize.cli.one import judge

    experiment = directory.experiment()
    return report_of(directory, experiment, history, judgement or judge(experiment, history))


def _html(path: Path, output: Path | None) -> Path | None:
    """Write the page of one run, or print it; return where it is."""
    from capsize.report.files import page

    directory = open_run(path)
    history = directory.history()
    report = _told(directory, history, directory.judgement())
    return _put(page(report, directory.path, directory.experiment(), history), output or path / "report.html")


def _html_of_folder(path: Path, output: Path | None) -> Path | None:
    """Write the page of a folder, and the page of each run that has none; return where it is."""
    from capsize.core.errors import HistoryError, UsageError
    from capsize.report.files import index

    for found in sorted(path.glob("*/experiment.json")):
        if not (found.parent / "report.html").is_file():
            # A run that can't be read has no page; the folder's own says why.
            with suppress(HistoryError, UsageError):
                _html(found.parent, None)
    target = output or path / "index.html"
    return _put(index(folder(path), path if str(target) == "-" else target.parent), target)


def _put(text: str, target: Path) -> Path | None:
    if str(target) == "-":
        click.echo(text, nl=False)
        return None
    write(target, text)
    return target


__all__ = ["folder", "one_run", "report_command", "write"]
