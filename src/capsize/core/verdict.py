"""Verdicts and findings: what checkers say of a history."""

from __future__ import annotations

from collections.abc import Iterable
from enum import IntEnum
from typing import Any

import msgspec


class Verdict(IntEnum):
    """How a claim came out; ordered so that the worst wins.

    UNKNOWN stands above PARTIAL: a run that proves nothing is worse than one that proves a known weakness.
    """

    PASS = 0
    PARTIAL = 1
    UNKNOWN = 2
    FAIL = 3

    @property
    def exit_code(self) -> int:
        """Return the process exit code: 0 pass or partial, 1 fail, 2 unknown."""
        return {Verdict.FAIL: 1, Verdict.UNKNOWN: 2}.get(self, 0)


def worst(verdicts: Iterable[Verdict]) -> Verdict:
    """Return the worst of some verdicts; UNKNOWN for none, since no claim is no evidence."""
    return max(verdicts, default=Verdict.UNKNOWN)


class Finding(msgspec.Struct, frozen=True, kw_only=True):
    """One anomaly or broken criterion, with the story that proves it.

    ``anomaly`` is a name of the design's table (``lost``, ``duplicate`` ...) or of a criterion
    (``recovery``, ``completion`` ...). ``story`` is a list of lines in the order in which things happened,
    each beginning with its time in seconds since the run began.
    """

    anomaly: str
    message: str
    task: str | None = None
    story: tuple[str, ...] = ()


class Result(msgspec.Struct, frozen=True, kw_only=True):
    """What one checker says: its verdict, one sentence, its figures and its findings.

    ``measures`` maps a figure's name (unit last: ``recovery_max_s``) to a plain value.
    """

    checker: str
    verdict: Verdict
    summary: str
    measures: dict[str, Any] = msgspec.field(default_factory=dict)
    findings: tuple[Finding, ...] = ()


class Judgement(msgspec.Struct, frozen=True, kw_only=True):
    """The whole run judged: the worst verdict of its checkers and every result."""

    scenario: str
    level: int
    seed: int
    verdict: Verdict
    results: tuple[Result, ...]

    def measure(self, checker: str, name: str, default: Any = None) -> Any:
        """Return one figure of one checker, or the default when it was not taken."""
        for result in self.results:
            if result.checker == checker:
                return result.measures.get(name, default)
        return default

    @property
    def findings(self) -> tuple[Finding, ...]:
        """Return the findings of all checkers, in the checkers' order."""
        return tuple(finding for result in self.results for finding in result.findings)


class ScenarioResult(msgspec.Struct, frozen=True, kw_only=True):
    """How one scenario of an invocation came out.

    ``judgement`` is None when the scenario was skipped or never got to a history; ``reason`` then says why.
    ``skipped`` results count neither as passed nor as failed. ``run_dir`` is None when nothing was written.
    ``not_steady``: the steady state did not hold, and the run stopped before anything was harmed.
    ``aborted``: a guardrail was reached, and the run healed and stopped; what it had not proved by then stays open.
    ``invalid``: the scenario itself is broken and was not begun; it is skipped as well.
    """

    scenario: str
    level: int
    seed: int
    verdict: Verdict
    duration_s: float
    skipped: bool = False
    not_steady: bool = False
    aborted: bool = False
    invalid: bool = False
    reason: str = ""
    run_dir: str | None = None
    time_scale: float = 1.0
    judgement: Judgement | None = None
