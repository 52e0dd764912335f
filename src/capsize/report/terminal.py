"""Reports as plain text: no colour, no markup, at most 80 columns."""

from __future__ import annotations

import textwrap
from collections.abc import Iterator

from capsize.core.verdict import Judgement, Result, ScenarioResult, Verdict
from capsize.report.advice import Recommendation, recommendations
from capsize.report.findings import Group, grouped
from capsize.report.measures import headline, key_figures
from capsize.report.model import RunReport, SoFar, Summary
from capsize.report.repeats import Repeated, repeats
from capsize.report.timeline import Moment
from capsize.report.wording import count, status

WIDTH = 79


def summary(whole: Summary, *, verbose: bool = False) -> str:
    """Return the closing summary of an invocation.

    A scenario that passed is told in a few lines; ``verbose`` tells every one in full.
    """
    lines = [*_title(whole.time_scale, whole.runs), *_counts(whole), "", "Scenario Results:"]
    repeated = repeats(whole)
    seeded = bool(repeated)
    lines += [result_line(run.result, seeded=seeded) for run in whole.runs]
    lines += _repeats(repeated)
    for run in whole.runs:
        # Of many runs of one scenario only those that did not pass are told one by one.
        passed = run.result.verdict is Verdict.PASS
        if not run.result.skipped and (verbose or not (passed and seeded)):
            lines += ["", *_details(run, full=verbose or not passed, seeded=seeded)]
    lines += ["", *_closing(whole)]
    return "\n".join(lines) + "\n"


def run(report: RunReport) -> str:
    """Return everything on one run: what ``capsize report`` shows."""
    lines = [*_title(report.result.time_scale, (report,)), result_line(report.result), ""]
    lines += _details(report, full=True)
    lines += ["", f"Seed: {report.result.seed}"]
    if report.result.run_dir:
        lines += [f"Run directory: {report.result.run_dir}", f"Replay: {report.replay}"]
    return "\n".join(lines) + "\n"


def result_line(result: ScenarioResult, *, seeded: bool = False) -> str:
    """Return one scenario's line in the form of the guide: name, verdict, headline figures.

    ``seeded`` names the seed behind the scenario, where it ran with several.
    """
    figures = headline(result)
    seed = f" seed {result.seed}" if seeded else ""
    return f" {result.scenario}{seed}: {status(result)}" + (f" ({figures})" if figures else "")


def _title(time_scale: float, runs: tuple[RunReport, ...]) -> list[str]:
    title = " Chaos Testing Results"
    if time_scale == 1:
        return [title, "=" * (len(title) + 3)]
    levels = sorted({run.result.level for run in runs})
    named = f"level {levels[0]}" if len(levels) == 1 else "the level"
    return [f"{title} - scaled by {time_scale:g}: a quick look, not {named}", "=" * (len(title) + 3)]


def _counts(whole: Summary) -> Iterator[str]:
    yield f"Total scenarios: {len(whole.runs)}"
    yield f"Passed: {whole.counted(Verdict.PASS)}"
    yield f"Failed: {whole.counted(Verdict.FAIL)}"
    for name, number in (
        ("Partial", whole.counted(Verdict.PARTIAL)),
        ("Unknown", whole.counted(Verdict.UNKNOWN)),
        ("Skipped", whole.skipped - whole.invalid),
        ("Errors", whole.invalid),
    ):
        if number:
            yield f"{name}: {number}"
    ratio = whole.success_ratio
    yield "Success rate: " + ("none ran" if ratio is None else f"{int(ratio * 100)}%")
    yield f"Total duration: {whole.duration_s:.0f}s"


def _repeats(found: tuple[Repeated, ...]) -> Iterator[str]:
    if found:
        yield from ("", "Repeats:")
    for one in found:
        yield f" {one.title}: {one.rate}"
        for spread in one.spreads:
            yield f"  {spread.title + ':':<17}{spread.text}"
        yield f"  Worst: seed {one.worst_seed}, {one.worst_status}"
        if one.worst_replay:
            yield f"  Replay: {one.worst_replay}"


def _details(report: RunReport, *, full: bool, seeded: bool = False) -> Iterator[str]:
    result = report.result
    scaled = "" if result.time_scale == 1 else f" scaled by {result.time_scale:g}"
    seed = f", seed {result.seed}" if seeded else ""
    yield f"{result.scenario}: {status(result)}, level {result.level}{scaled}{seed}, {result.duration_s:.1f} s"
    if full and report.purpose:
        yield from _wrapped(report.purpose, "  ")
    if result.reason:
        yield from _wrapped(result.reason, "  ")
    if result.judgement is not None:
        yield from _figures(result.judgement)
        yield from _claims(result.judgement, full=full)
        for group in grouped(result.judgement):
            yield from _group(group)
        yield from _advice(recommendations(result.judgement))
    if report.ended != "completed":
        yield from _so_far(report.so_far, report.ended)
    for warning in report.warnings:
        yield from _wrapped(warning, "  warning: ")
    if full and report.timeline:
        yield "  Timeline (seconds since the run began):"
        yield from _timeline(report.timeline)


def _figures(judgement: Judgement) -> Iterator[str]:
    for name, text in key_figures(judgement):
        yield f"  {name + ':':<17}{text}"


def _claims(judgement: Judgement, *, full: bool) -> Iterator[str]:
    told = [result for result in judgement.results if full or result.verdict is not Verdict.PASS]
    if told:
        yield "  Claims:"
    for result in told:
        yield from _claim(result)
    clean = len(judgement.results) - len(told)
    if clean and not told:
        yield f"  All {count(clean, 'claim')} held."


def _claim(result: Result) -> Iterator[str]:
    yield from _wrapped(result.summary, f"    {result.verdict.name:<8}{result.checker}: ", hang=12)


def _group(group: Group) -> Iterator[str]:
    yield f"  {group.anomaly} ({group.total}):"
    for finding in group.first:
        yield from _wrapped(finding.message, "    - ")
        for line in finding.story:
            yield from _wrapped(line, "        ", hang=16)
    if group.more:
        yield f"    ... and {group.more} more; report.md and verdict.json have all of them"


def _advice(advice: tuple[Recommendation, ...]) -> Iterator[str]:
    if advice:
        yield "  What to do:"
    for one in advice:
        sign = f" [warning sign: {one.sign}]" if one.sign else ""
        word = "reason" if one.urgency == "repeat" else "usual cause"
        yield from _wrapped(f"{one.title}{sign}", "    - ")
        yield from _wrapped(f"{word}: {one.cause}", "        ", hang=10)
        yield from _wrapped(f"change: {one.change}", "        ", hang=10)


def _so_far(so_far: SoFar, ended: str) -> Iterator[str]:
    if not ended:
        return
    phase = f"in phase {so_far.last_phase}" if so_far.last_phase else "before the first phase"
    yield f"  The history ends at {so_far.at_s:.1f} s {phase} ({ended}). Up to there:"
    yield (
        f"    {count(so_far.accepted, 'task')} accepted, {so_far.done} done, "
        f"{count(so_far.retries, 'retry', 'retries')}, "
        f"{so_far.strikes_landed} of {count(so_far.strikes_planned, 'planned strike')} landed"
    )


def _timeline(moments: tuple[Moment, ...]) -> Iterator[str]:
    for moment in moments:
        yield from _wrapped(moment.text, f"  {moment.t:9.3f}  ", hang=13)


def _closing(whole: Summary) -> Iterator[str]:
    yield f"Seed: {whole.seeds}"
    if whole.command:
        yield f"Again: {whole.command}"
    told = {(one.scenario, one.level) for one in repeats(whole)}
    for run_report in whole.runs:
        if run_report.replay and (run_report.result.scenario, run_report.result.level) not in told:
            yield f"Replay: {run_report.replay}"


def _wrapped(text: str, lead: str, *, hang: int | None = None) -> list[str]:
    """Return a text folded at the width; commands and paths are never broken."""
    indent = " " * (len(lead) if hang is None else hang)
    return textwrap.wrap(
        " ".join(text.split()),
        WIDTH,
        initial_indent=lead,
        subsequent_indent=indent,
        break_long_words=False,
        break_on_hyphens=False,
    ) or [lead.rstrip()]
