"""What GitHub Actions shows by itself: annotations beside the job, and the step's summary."""

from __future__ import annotations

from collections.abc import Iterator

from capsize.core.verdict import Verdict
from capsize.report import markdown
from capsize.report.model import RunReport, Summary
from capsize.report.wording import status

ANNOTATIONS_MAX = 10
"""GitHub shows ten errors and ten warnings of a step; the rest would be dropped without a word."""
SUMMARY_BYTES_MAX = 1_000_000
"""GitHub refuses a step's summary above 1 MiB as a whole."""


def workflow_commands(whole: Summary) -> str:
    """Return a line for each claim that does not hold: errors for FAIL, warnings for UNKNOWN and PARTIAL."""
    lines = [line for report in whole.runs for line in _of(report)]
    errors = [line for line in lines if line.startswith("::error")]
    warnings = [line for line in lines if not line.startswith("::error")]
    told = [*_limited(errors, "error"), *_limited(warnings, "warning")]
    return "".join(f"{line}\n" for line in told)


def step_summary(whole: Summary) -> str:
    """Return the Markdown of the invocation, cut at a line's end if GitHub would refuse it."""
    text = markdown.summary(whole)
    raw = text.encode()
    if len(raw) <= SUMMARY_BYTES_MAX:
        return text
    kept = raw[:SUMMARY_BYTES_MAX].decode(errors="ignore").rpartition("\n")[0]
    # A code block that was cut open would swallow what follows.
    fence = "\n```" if kept.count("\n```") % 2 else ""
    return f"{kept}{fence}\n\nCut here: the whole of it is in summary.md.\n"


def _limited(lines: list[str], kind: str) -> list[str]:
    if len(lines) <= ANNOTATIONS_MAX:
        return lines
    more = len(lines) - ANNOTATIONS_MAX + 1
    return [
        *lines[: ANNOTATIONS_MAX - 1],
        f"::{kind} title=capsize::and {more} more; the summary has them all",
    ]


def _of(report: RunReport) -> Iterator[str]:
    result = report.result
    where = f"{result.scenario} level {result.level} seed {result.seed}"
    claims = [
        one
        for one in (result.judgement.results if result.judgement else ())
        if one.verdict is not Verdict.PASS
    ]
    for claim in claims:
        kind = "error" if claim.verdict is Verdict.FAIL else "warning"
        yield _line(kind, f"{claim.verdict.name} {claim.checker}: {where}", claim.summary)
    if not claims and result.skipped:
        yield _line("error" if result.invalid else "notice", f"{status(result)}: {where}", result.reason)
    elif not claims and result.verdict is not Verdict.PASS:
        kind = "error" if result.verdict is Verdict.FAIL else "warning"
        yield _line(kind, f"{status(result)}: {where}", result.reason)


def _line(kind: str, title: str, message: str) -> str:
    return f"::{kind} title={_property(title)}::{_data(message)}"


def _data(text: str) -> str:
    """Escape as GitHub's own toolkit does: a line break would end the command and begin another."""
    return text.replace("%", "%25").replace("\r", "%0D").replace("\n", "%0A")


def _property(text: str) -> str:
    return _data(text).replace(":", "%3A").replace(",", "%2C")
