"""The forms in which a report can be had, by name: one table for every command."""

from __future__ import annotations

from collections.abc import Callable

from capsize.report import document, junit, markdown, terminal
from capsize.report.model import RunReport, Summary

RUN: dict[str, Callable[[RunReport], str]] = {
    "terminal": terminal.run,
    "json": document.run,
    "markdown": markdown.run,
    "junit": junit.run,
}
"""One run as text. HTML needs more than the report: :func:`capsize.report.files.page`."""

SUMMARY: dict[str, Callable[[Summary], str]] = {
    "terminal": terminal.summary,
    "json": document.summary,
    "markdown": markdown.summary,
    "junit": junit.summary,
}
"""Many runs as text. HTML needs to know where it lies: :func:`capsize.report.files.index`."""

FORMATS = ("terminal", "json", "markdown", "junit", "html")
