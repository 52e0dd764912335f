"""A comparison as text, as Markdown and as JSON."""

from __future__ import annotations

from collections.abc import Iterator

import msgspec

from capsize.core.verdict import Verdict
from capsize.report.comparing.compare import Change, Compared, Comparison
from capsize.report.comparing.figures import ANOMALIES_FIGURE, VERDICT, how
from capsize.report.comparing.thresholds import Outcome
from capsize.report.markdown import table
from capsize.report.wording import count, percent, seconds

HEADER = ("Figure", "Before", "After", "Change", "How sure")


def terminal(comparison: Comparison, outcomes: tuple[Outcome, ...]) -> str:
    """Return the comparison for a terminal."""
    lines = [f"Before: {comparison.before}", f"After:  {comparison.after}"]
    for one in comparison.compared:
        lines += ["", _heading(one), *(f"  {note}" for note in _notes(one))]
        rows = [HEADER, *_rows(one)]
        widths = [max(len(row[column]) for row in rows) for column in range(len(HEADER))]
        lines += [
            "  " + "  ".join(text.ljust(w) for text, w in zip(row, widths, strict=True)).rstrip()
            for row in rows
        ]
    lines += ["", *_alone(comparison)] if _alone(comparison) else []
    if outcomes:
        lines += ["", "Thresholds:", *(f"  {_word(one)}: {_outcome(one)}" for one in outcomes)]
    return "\n".join(lines) + "\n"


def markdown(comparison: Comparison, outcomes: tuple[Outcome, ...]) -> str:
    """Return the comparison as Markdown, for a pull request."""
    crossed = sum(one.state == "crossed" for one in outcomes)
    verdict = f": {count(crossed, 'threshold')} crossed" if crossed else ""
    lines = [f"# Chaos testing compared{verdict}", "", f"From `{comparison.before}` to `{comparison.after}`."]
    if outcomes:
        rows = (
            (_word(one), one.threshold, f"{one.scenario} level {one.level}", one.message) for one in outcomes
        )
        lines += ["", *table(("", "Threshold", "Scenario", "Seen"), rows)]
    for one in comparison.compared:
        lines += ["", f"## {_heading(one)}", ""]
        lines += [*(f"{note}" for note in _notes(one)), ""] if _notes(one) else []
        lines += table(HEADER, _rows(one))
    lines += ["", *_alone(comparison)] if _alone(comparison) else []
    return "\n".join(lines) + "\n"


def json(comparison: Comparison, outcomes: tuple[Outcome, ...]) -> str:
    """Return the comparison as JSON; a figure that a side does not have is null."""
    document = msgspec.to_builtins(comparison) | {"version": 1, "thresholds": msgspec.to_builtins(outcomes)}
    for told, one in zip(document["compared"], comparison.compared, strict=True):
        for change, source in zip(told["changes"], one.changes, strict=True):
            change |= {"change": source.change, "relative": source.relative, "sure": source.sure}
    return msgspec.json.format(msgspec.json.encode(document), indent=2).decode() + "\n"


def _heading(one: Compared) -> str:
    return (
        f"{one.scenario}, level {one.level}: {count(one.runs_before, 'run')} before, {one.runs_after} after"
    )


def _notes(one: Compared) -> list[str]:
    notes = []
    if not one.same_plans:
        notes.append("The seeds differ: part of any difference is that other plans were carried out.")
    if min(one.runs_before, one.runs_after) < 4:
        notes.append("With fewer than 4 runs on a side the noise from run to run is not known; use --repeat.")
    return notes


def _rows(one: Compared) -> Iterator[tuple[str, ...]]:
    for change in one.changes:
        if change.before or change.after or change.figure in (VERDICT, ANOMALIES_FIGURE):
            yield (
                change.figure,
                _value(change.figure, change.before),
                _value(change.figure, change.after),
                _changed(change),
                _sureness(change),
            )


def _value(figure: str, value: float | None) -> str:
    if value is None:
        return "not measured"
    if figure == VERDICT:
        return Verdict(int(value)).name
    if figure.endswith("_s"):
        return f"{value * 1000:.1f} ms" if value < 0.01 else seconds(value)
    if figure.endswith("_ratio"):
        return percent(value)
    return f"{value:.4g}" if how(figure) == "mean" else f"{value:g}"


def _changed(change: Change) -> str:
    if change.change is None:
        return ""
    if change.change == 0:
        return "same"
    if change.figure == VERDICT:
        return "worse" if change.change > 0 else "better"
    if change.figure.endswith("_ratio"):
        return f"{change.change * 100:+.1f} points"
    share = change.relative
    if share is None or abs(share) == float("inf"):
        return f"{change.change:+g}"
    return f"{share:+.0%}"


def _sureness(change: Change) -> str:
    if change.low is None or change.high is None:
        return "" if change.change in (None, 0.0) or change.figure == VERDICT else "noise not known"
    said = "sure" if change.sure else "within noise"
    low, high = (_difference(change.figure, end) for end in (change.low, change.high))
    return f"{said}: 95% {low} to {high} ({change.basis})"


def _difference(figure: str, value: float) -> str:
    return f"{value * 100:+.1f}" if figure.endswith("_ratio") else f"{value:+.4g}"


def _alone(comparison: Comparison) -> list[str]:
    rows = [("Only before", comparison.only_before), ("Only after", comparison.only_after)]
    return [f"{title}: {', '.join(names)}" for title, names in rows if names]


def _word(one: Outcome) -> str:
    return {"crossed": "CROSSED", "kept": "kept", "unsure": "UNSURE", "missing": "MISSING"}[one.state]


def _outcome(one: Outcome) -> str:
    return f"{one.threshold}, {one.scenario} level {one.level}: {one.message}"


FORMS = {"terminal": terminal, "markdown": markdown, "json": json}
