"""Reports as JSON, in a published form; verdicts by name, so that a reader needs no table of numbers.

The form is that of the types below, and ``docs/schema/`` has it as JSON Schema, made from them. ``version`` rises
when something that was there is renamed, removed or means something else; more may be added without that.
"""

from __future__ import annotations

from typing import Any, Literal

import msgspec

from capsize.core.verdict import Finding, ScenarioResult, Verdict
from capsize.report.advice import Recommendation, recommendations
from capsize.report.measures import headline
from capsize.report.model import RunReport, SoFar, Summary
from capsize.report.repeats import Spread, repeats
from capsize.report.timeline import Moment
from capsize.report.wording import status

VERSION: Literal[1] = 1

Word = Literal["PASS", "PARTIAL", "UNKNOWN", "FAIL"]
Status = Literal["PASS", "PARTIAL", "UNKNOWN", "FAIL", "NOT STEADY", "ABORTED", "SKIPPED", "ERROR"]


class ClaimDocument(msgspec.Struct, frozen=True, kw_only=True):
    """One claim: what its checker says. A measure that is no number any more (infinity) is null."""

    checker: str
    verdict: Word
    summary: str
    measures: dict[str, Any]
    findings: tuple[Finding, ...]


class RunDocument(msgspec.Struct, frozen=True, kw_only=True):
    """One run. ``status`` is its verdict, or why there is none; durations and moments are seconds."""

    version: Literal[1] = VERSION
    scenario: str
    status: Status
    headline: str
    level: int
    seed: int
    time_scale: float
    duration_s: float
    reason: str
    run_dir: str | None
    claims: tuple[ClaimDocument, ...]
    purpose: str
    level_name: str
    platform: str
    system: str
    replay: str
    ended: str
    ended_detail: str
    so_far: SoFar
    warnings: tuple[str, ...]
    timeline: tuple[Moment, ...]
    recommendations: tuple[Recommendation, ...]


class RepeatedDocument(msgspec.Struct, frozen=True, kw_only=True):
    """One scenario at one level over its seeds; ``pass_low`` and ``pass_high`` are the 95% interval of the pass rate."""

    scenario: str
    level: int
    title: str
    ran: int
    passed: int
    pass_ratio: float
    pass_low: float
    pass_high: float
    verdicts: dict[str, int]
    spreads: tuple[Spread, ...]
    worst_seed: int
    worst_status: str
    worst_replay: str


class SummaryDocument(msgspec.Struct, frozen=True, kw_only=True):
    """An invocation, or a folder of runs. ``success_ratio`` is the share of PASS, null when nothing ran."""

    version: Literal[1] = VERSION
    verdict: Word
    exit_code: int
    total: int
    passed: int
    failed: int
    partial: int
    unknown: int
    skipped: int
    errors: int
    success_ratio: float | None
    duration_s: float
    time_scale: float
    command: str
    repeats: tuple[RepeatedDocument, ...]
    runs: tuple[RunDocument, ...]


SCHEMAS: dict[str, type[msgspec.Struct]] = {"report": RunDocument, "summary": SummaryDocument}
"""The documents by the name of the file that a run writes."""


def summary(whole: Summary) -> str:
    """Return the document of an invocation."""
    return _text(
        SummaryDocument(
            verdict=_word(whole.verdict),
            exit_code=whole.exit_code,
            total=len(whole.runs),
            passed=whole.counted(Verdict.PASS),
            failed=whole.counted(Verdict.FAIL),
            partial=whole.counted(Verdict.PARTIAL),
            unknown=whole.counted(Verdict.UNKNOWN),
            skipped=whole.skipped - whole.invalid,
            errors=whole.invalid,
            success_ratio=whole.success_ratio,
            duration_s=whole.duration_s,
            time_scale=whole.time_scale,
            command=whole.command,
            repeats=tuple(
                RepeatedDocument(**msgspec.structs.asdict(one), pass_ratio=one.pass_ratio)
                for one in repeats(whole)
            ),
            runs=tuple(_run(report) for report in whole.runs),
        )
    )


def run(report: RunReport) -> str:
    """Return the document of one run."""
    return _text(_run(report))


def schema(name: str) -> str:
    """Return the JSON Schema of a document, by its name in ``SCHEMAS``."""
    made = {
        "$schema": "https://json-schema.org/draft/2020-12/schema",
        "title": f"capsize {name}.json, version {VERSION}",
        **msgspec.json.schema(SCHEMAS[name]),
    }
    return msgspec.json.format(msgspec.json.encode(made), indent=2).decode() + "\n"


def _run(report: RunReport) -> RunDocument:
    result = report.result
    names = ("purpose", "level_name", "platform", "system", "replay", "ended", "ended_detail", "so_far")
    return RunDocument(
        **{name: getattr(report, name) for name in (*names, "warnings", "timeline")},
        scenario=result.scenario,
        status=_status(result),
        headline=headline(result),
        level=result.level,
        seed=result.seed,
        time_scale=result.time_scale,
        duration_s=result.duration_s,
        reason=result.reason,
        run_dir=result.run_dir,
        claims=_claims(result),
        recommendations=recommendations(result.judgement),
    )


def _claims(result: ScenarioResult) -> tuple[ClaimDocument, ...]:
    return tuple(
        ClaimDocument(
            checker=claim.checker,
            verdict=_word(claim.verdict),
            summary=claim.summary,
            measures=claim.measures,
            findings=claim.findings,
        )
        for claim in (result.judgement.results if result.judgement else ())
    )


def _word(verdict: Verdict) -> Word:
    word: Word = msgspec.convert(verdict.name, Word)
    return word


def _status(result: ScenarioResult) -> Status:
    word: Status = msgspec.convert(status(result), Status)
    return word


def _text(document: msgspec.Struct) -> str:
    """Encode with indentation; a figure that is no number any more (infinity) becomes null."""
    return msgspec.json.format(msgspec.json.encode(document), indent=2).decode() + "\n"
