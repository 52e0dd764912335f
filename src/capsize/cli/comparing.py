"""``capsize compare``: what changed between two runs, or two folders of runs, and whether it is too much."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

import click

from capsize.cli.exits import FAILED, PASSED, UNKNOWN
from capsize.cli.reporting import folder, one_run, write

if TYPE_CHECKING:
    from capsize.report.comparing import Side


@click.command("compare", short_help="What changed between two runs or two folders of runs.")
@click.argument("before", type=click.Path(path_type=Path))
@click.argument("after", type=click.Path(path_type=Path))
@click.option(
    "--fail-if",
    "limits",
    multiple=True,
    metavar="'FIGURE > +20%'",
    help="A threshold; exit 1 when it is crossed. May be repeated. Also < and absolute values.",
)
@click.option(
    "--sure", is_flag=True, help="Only crossings count whose whole 95% interval lies beyond the threshold."
)
@click.option(
    "--format",
    "form",
    type=click.Choice(("terminal", "json", "markdown")),
    default="terminal",
    show_default=True,
    help="How the comparison is written.",
)
@click.option("--output", type=click.Path(path_type=Path), help="The file to write instead of stdout.")
def compare_command(
    before: Path, after: Path, limits: tuple[str, ...], sure: bool, form: str, output: Path | None
) -> int:
    """Compare two runs, or two folders of runs, scenario by scenario.

    FIGURE is one of those that are shown, or any measure in verdict.json. The exit code is 1 when a threshold
    is crossed, 2 when one could not be judged, 0 otherwise.
    """
    from capsize.core.errors import UsageError
    from capsize.report.comparing import compare, judge_thresholds, parse_threshold, telling

    thresholds = tuple(parse_threshold(text) for text in limits)
    comparison = compare(_side(before), _side(after), [threshold.figure for threshold in thresholds])
    if not comparison.compared:
        raise UsageError(f"{before} and {after} have no scenario at the same level in common")
    outcomes = judge_thresholds(comparison, thresholds, only_sure=sure)
    text = telling.FORMS[form](comparison, outcomes)
    if output is None:
        click.echo(text, nl=False)
    else:
        write(output, text)
    states = {outcome.state for outcome in outcomes}
    if "crossed" in states:
        return FAILED
    return UNKNOWN if states & {"unsure", "missing"} else PASSED


def _side(path: Path) -> Side:
    """Return a side; of a single run each recovery is timed too. Raises UsageError for neither a run nor a folder."""
    from capsize.report.charts.strikes import recovery_rows
    from capsize.report.comparing import Side
    from capsize.rundir import RunDirectory

    if not (path / "experiment.json").is_file() and any(path.glob("*/experiment.json")):
        whole = folder(path)
        if len(whole.runs) > 1:
            return Side(name=str(path), runs=whole.runs)
        path = Path(whole.runs[0].result.run_dir or path)
    report = one_run(path)
    directory = RunDirectory.open(path)
    rows = recovery_rows(directory.experiment(), directory.history())
    times = tuple(row.took_s for row in rows if row.took_s is not None and not row.overtaken)
    return Side(name=str(path), runs=(report,), recoveries=times)
