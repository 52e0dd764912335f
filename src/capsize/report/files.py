"""Writes the reports to where they belong: into each run directory, and beside them for the invocation."""

from __future__ import annotations

import os
from pathlib import Path

from capsize.report import document, markdown
from capsize.report.model import RunReport, Summary


def write_run(report: RunReport, directory: Path) -> None:
    """Write ``report.json`` and ``report.md`` into a run directory."""
    _replace(directory / "report.json", document.run(report))
    _replace(directory / "report.md", markdown.run(report))


def write_summary(whole: Summary, output: Path) -> None:
    """Write ``summary.json`` and ``summary.md`` into the output directory."""
    _replace(output / "summary.json", document.summary(whole))
    _replace(output / "summary.md", markdown.summary(whole))


def _replace(path: Path, text: str) -> None:
    """Write a file in one step, so that a reader never sees half of it."""
    draft = path.with_name(f".{path.name}.{os.getpid()}")
    draft.write_text(text, encoding="utf-8")
    draft.replace(path)
