"""Writes the reports to where they belong: into each run directory, and beside them for the invocation."""

from __future__ import annotations

import os
from pathlib import Path
from urllib.parse import quote

from capsize.core.experiment import Experiment
from capsize.core.history import History
from capsize.core.verdict import Judgement
from capsize.report import document, html, markdown, metrics
from capsize.report.logs import read_logs
from capsize.report.model import RunReport, Summary

LOG_BYTES_MAX = 8 * 2**20
"""Of a longer log the beginning is read: a flood of lines must not keep a report from being written."""


def write_run(report: RunReport, directory: Path) -> None:
    """Write ``report.json`` and ``report.md`` into a run directory."""
    replace(directory / "report.json", document.run(report))
    replace(directory / "report.md", markdown.run(report))


def write_metrics(
    directory: Path, experiment: Experiment, history: History, judgement: Judgement | None = None
) -> None:
    """Write ``metrics.prom`` into a run directory, for Prometheus's node exporter and the like."""
    name = directory.name
    told = metrics.exposition([(name, experiment, history)], {name: judgement} if judgement else {})
    replace(directory / "metrics.prom", told)


def write_page(
    report: RunReport, directory: Path, experiment: Experiment | None, history: History | None
) -> Path:
    """Write ``report.html`` into a run directory and return where it is."""
    path = directory / "report.html"
    replace(path, page(report, directory, experiment, history))
    return path


def page(report: RunReport, directory: Path, experiment: Experiment | None, history: History | None) -> str:
    """Return the page of a run, with the log lines that its directory has."""
    began = history.began if history else None
    judgement = report.result.judgement
    # Logs are shown beside findings alone, and may be large.
    if began is None or history is None or judgement is None or not judgement.findings:
        return html.run(report, experiment, history)
    logs = read_logs(log_texts(directory), began.wall, history.end_s)
    return html.run(report, experiment, history, logs)


def write_summary(whole: Summary, output: Path) -> None:
    """Write ``summary.json`` and ``summary.md`` into the output directory, and ``index.html`` for several runs."""
    replace(output / "summary.json", document.summary(whole))
    replace(output / "summary.md", markdown.summary(whole))
    if len(whole.runs) > 1:
        write_index(whole, output)


def write_index(whole: Summary, output: Path) -> Path:
    """Write the page of many runs, with links to the pages that are there; return where it is."""
    path = output / "index.html"
    replace(path, index(whole, output))
    return path


def index(whole: Summary, output: Path) -> str:
    """Return the page of many runs as it reads when it lies in ``output``."""
    return html.suite(whole, _links(whole, output))


def log_texts(directory: Path) -> dict[str, str]:
    """Return the logs of a run by instance; one that can't be read is left out."""
    texts = {}
    for path in sorted((directory / "logs").glob("*.log")):
        try:
            with path.open("rb") as file:
                texts[path.stem] = file.read(LOG_BYTES_MAX).decode(errors="replace")
        except OSError:
            continue
    return texts


def replace(path: Path, text: str) -> None:
    """Write a file in one step, so that a reader never sees half of it."""
    draft = path.with_name(f".{path.name}.{os.getpid()}")
    draft.write_text(text, encoding="utf-8")
    draft.replace(path)


def _links(whole: Summary, output: Path) -> dict[str, str]:
    """Return where each run's page is, as seen from the output directory; only pages that exist."""
    links = {}
    for run in whole.runs:
        directory = run.result.run_dir
        if directory and (Path(directory) / "report.html").is_file():
            links[directory] = quote(os.path.relpath(Path(directory) / "report.html", output))
    return links
