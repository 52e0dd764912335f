"""Reports as JSON; verdicts by name, so that a reader needs no table of numbers."""

from __future__ import annotations

from typing import Any

import msgspec

from capsize.core.verdict import ScenarioResult, Verdict
from capsize.report.measures import headline
from capsize.report.model import RunReport, Summary
from capsize.report.repeats import repeats
from capsize.report.wording import status


def summary(whole: Summary) -> str:
    """Return the document of an invocation."""
    return _text(
        {
            "verdict": whole.verdict.name,
            "exit_code": whole.exit_code,
            "total": len(whole.runs),
            "passed": whole.counted(Verdict.PASS),
            "failed": whole.counted(Verdict.FAIL),
            "partial": whole.counted(Verdict.PARTIAL),
            "unknown": whole.counted(Verdict.UNKNOWN),
            "skipped": whole.skipped - whole.invalid,
            "errors": whole.invalid,
            "success_ratio": whole.success_ratio,
            "duration_s": whole.duration_s,
            "time_scale": whole.time_scale,
            "command": whole.command,
            "repeats": [msgspec.to_builtins(one) | {"pass_ratio": one.pass_ratio} for one in repeats(whole)],
            "runs": [_run(report) for report in whole.runs],
        }
    )


def run(report: RunReport) -> str:
    """Return the document of one run."""
    return _text(_run(report))


def _run(report: RunReport) -> dict[str, Any]:
    document: dict[str, Any] = _result(report.result)
    document |= {
        name: msgspec.to_builtins(getattr(report, name))
        for name in ("purpose", "level_name", "platform", "system", "replay", "ended", "ended_detail")
    }
    document |= {
        "so_far": msgspec.to_builtins(report.so_far),
        "warnings": list(report.warnings),
        "timeline": msgspec.to_builtins(report.timeline),
    }
    return document


def _result(result: ScenarioResult) -> dict[str, Any]:
    claims = result.judgement.results if result.judgement else ()
    return {
        "scenario": result.scenario,
        "status": status(result),
        "headline": headline(result),
        "level": result.level,
        "seed": result.seed,
        "time_scale": result.time_scale,
        "duration_s": result.duration_s,
        "reason": result.reason,
        "run_dir": result.run_dir,
        "claims": [msgspec.to_builtins(claim) | {"verdict": claim.verdict.name} for claim in claims],
    }


def _text(document: dict[str, Any]) -> str:
    """Encode with indentation; a figure that is no number any more (infinity) becomes null."""
    return msgspec.json.format(msgspec.json.encode(document), indent=2).decode() + "\n"
