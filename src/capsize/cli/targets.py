"""``--report junit=ci/chaos.xml,markdown=pr.md``: reports of an invocation, written where a pipeline wants them."""

from __future__ import annotations

import os
import sys
from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from capsize.core.errors import UsageError

if TYPE_CHECKING:
    from capsize.report import Summary

FORMATS = ("json", "junit", "markdown", "html", "terminal")

Target = tuple[str, Path]
"""A format and the file that it goes to."""


class ReportTargets(click.ParamType):  # type: ignore[type-arg]  # not generic before click 8.2
    """``FORMAT=PATH``, several separated by commas."""

    name = "FORMAT=PATH,..."

    def convert(
        self, value: Any, param: click.Parameter | None, ctx: click.Context | None
    ) -> tuple[Target, ...]:
        """Return the formats with their files; an unknown format is refused."""
        if isinstance(value, tuple):
            return value
        return tuple(self._one(part.strip(), param, ctx) for part in str(value).split(",") if part.strip())

    def _one(self, part: str, param: click.Parameter | None, ctx: click.Context | None) -> Target:
        form, equals, path = part.partition("=")
        if form not in FORMATS or not equals or not path:
            self.fail(f"{part!r} is no FORMAT=PATH; the formats are {', '.join(FORMATS)}", param, ctx)
        return form, Path(path)


report_option = click.option(
    "--report",
    "reports",
    type=ReportTargets(),
    multiple=True,
    help="Also write the summary there: junit=FILE, json=FILE, markdown=FILE, html=FILE. May be repeated.",
)


def checked(given: tuple[tuple[Target, ...], ...]) -> tuple[Target, ...]:
    """Return the targets, having seen that each can be written. Raises UsageError, before anything is started."""
    targets = tuple(target for targets in given for target in targets)
    for _, path in targets:
        try:
            path.parent.mkdir(parents=True, exist_ok=True)
        except OSError as error:
            raise UsageError(f"--report {path} can't be written: {error.strerror}") from error
        if path.is_dir() or not os.access(path.parent, os.W_OK):
            raise UsageError(f"--report {path} can't be written: give a file in a directory of yours")
    return targets


def write_all(whole: Summary, targets: tuple[Target, ...]) -> None:
    """Write the summary in every form that was asked for."""
    from capsize.report import files, forms

    for form, path in targets:
        text = files.index(whole, path.parent) if form == "html" else forms.SUMMARY[form](whole)
        files.replace(path, text)


def tell_github(whole: Summary, environment: Mapping[str, str], *, as_json: bool) -> None:
    """Tell GitHub Actions what broke, when this runs there: annotations, and the step's summary.

    The annotations go to stderr when stdout belongs to the JSON; GitHub reads both.
    """
    if environment.get("GITHUB_ACTIONS") != "true":
        return
    from capsize.report import github

    stream = sys.stderr if as_json else sys.stdout
    stream.write(github.workflow_commands(whole))
    stream.flush()
    path = environment.get("GITHUB_STEP_SUMMARY")
    if path:
        with Path(path).open("a", encoding="utf-8") as file:
            file.write(github.step_summary(whole))
