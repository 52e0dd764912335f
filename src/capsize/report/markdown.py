"""Reports as Markdown, fit for a step summary in CI."""

from __future__ import annotations

from collections.abc import Iterable, Iterator

from capsize.core.verdict import Judgement, Verdict
from capsize.report.advice import Recommendation, recommendations
from capsize.report.findings import Group, grouped
from capsize.report.measures import headline, key_figures
from capsize.report.model import RunReport, Summary
from capsize.report.repeats import Repeated, repeats
from capsize.report.wording import percent, status


def summary(whole: Summary) -> str:
    """Return the report of an invocation: a table of the scenarios, then each that did not pass."""
    scaled = "" if whole.time_scale == 1 else f" (scaled by {whole.time_scale:g}, not the level itself)"
    ratio = whole.success_ratio
    lines = [
        f"# Chaos testing: {whole.verdict.name}{scaled}",
        "",
        f"{whole.counted(Verdict.PASS)} of {len(whole.runs)} scenarios passed"
        f" ({'none ran' if ratio is None else percent(ratio)}) in {whole.duration_s:.0f} s.",
        "",
        *table(
            ("Scenario", "Verdict", "Level", "Figures", "Seconds", "Seed"),
            (
                (
                    run.result.scenario,
                    status(run.result),
                    str(run.result.level),
                    headline(run.result),
                    f"{run.result.duration_s:.1f}",
                    str(run.result.seed),
                )
                for run in whole.runs
            ),
        ),
    ]
    lines += _repeats(repeats(whole))
    for report in whole.runs:
        if not report.result.skipped:
            lines += ["", *_run(report, depth=2)]
    if whole.command:
        lines += ["", "Again:", "", "```bash", whole.command, "```"]
    return "\n".join(lines) + "\n"


def run(report: RunReport) -> str:
    """Return the report of one run."""
    return "\n".join(_run(report, depth=1)) + "\n"


def table(header: tuple[str, ...], rows: Iterable[tuple[str, ...]]) -> Iterator[str]:
    """Yield the lines of a table; a bar in a cell is escaped."""
    yield "| " + " | ".join(header) + " |"
    yield "| " + " | ".join("---" for _ in header) + " |"
    for row in rows:
        yield "| " + " | ".join(_cell(text) for text in row) + " |"


def _cell(text: str) -> str:
    return " ".join(text.split()).replace("|", "\\|")


def _repeats(found: tuple[Repeated, ...]) -> Iterator[str]:
    if not found:
        return
    yield from ("", "## Repeats", "")
    rows = ((one.title, one.rate, f"{one.worst_seed}: {one.worst_status}") for one in found)
    yield from table(("Scenario", "Pass rate", "Worst seed"), rows)
    figures = [(one.title, spread) for one in found for spread in one.spreads]
    if figures:
        yield ""
        yield from table(
            ("Scenario", "Figure", "Spread", "Runs"),
            ((name, spread.title, spread.text, str(spread.runs)) for name, spread in figures),
        )
    commands = [one.worst_replay for one in found if one.worst_replay]
    if commands:
        yield from ("", "The worst of each again:", "", "```bash", *commands, "```")


def _run(report: RunReport, *, depth: int) -> Iterator[str]:
    result = report.result
    mark = "#" * depth
    scaled = "" if result.time_scale == 1 else f" (scaled by {result.time_scale:g}, not the level itself)"
    yield f"{mark} {result.scenario}: {status(result)}{scaled}"
    yield ""
    yield f"Level {result.level}, seed {result.seed}, {result.duration_s:.1f} s. {report.purpose}".rstrip()
    if result.reason:
        yield from ("", result.reason)
    for warning in report.warnings:
        yield from ("", f"> {warning}")
    if result.judgement is not None:
        yield from _judgement(result.judgement, mark)
    yield from _timeline(report, mark)
    if report.replay:
        yield from ("", "```bash", report.replay, "```")


def _judgement(judgement: Judgement, mark: str) -> Iterator[str]:
    yield from ("", *table(("Figure", "Value"), key_figures(judgement)))
    yield ""
    yield from table(
        ("Claim", "Verdict", "Why"),
        ((result.checker, result.verdict.name, result.summary) for result in judgement.results),
    )
    groups = grouped(judgement, in_full=1000)
    if groups:
        yield from ("", f"{mark}# Findings")
    for group in groups:
        yield from _group(group, mark)
    yield from _advice(recommendations(judgement), mark)


def _advice(advice: tuple[Recommendation, ...], mark: str) -> Iterator[str]:
    if advice:
        yield from ("", f"{mark}# What to do", "")
        yield from table(
            ("What", "Usual cause", "What to change"),
            (
                (one.title + (f" (warning sign: {one.sign})" if one.sign else ""), one.cause, one.change)
                for one in advice
            ),
        )


def _group(group: Group, mark: str) -> Iterator[str]:
    yield from ("", f"{mark}## {group.anomaly} ({group.total})")
    for finding in group.first:
        yield from ("", finding.message)
        if finding.story:
            yield from ("", "```text", *finding.story, "```")
    if group.more:
        yield from ("", f"And {group.more} more; `verdict.json` has all of them.")


def _timeline(report: RunReport, mark: str) -> Iterator[str]:
    if not report.timeline:
        return
    yield from ("", f"{mark}# Timeline", "", "Seconds since the run began.", "", "```text")
    for moment in report.timeline:
        yield f"{moment.t:9.3f}  {moment.text}"
    yield "```"
