"""An invocation: several experiments one after the other, each carried out, judged and reported."""

from __future__ import annotations

import asyncio
import sys
import time
from collections.abc import Callable, Sequence
from pathlib import Path

import msgspec

from capsize.cli.display import Display, choose
from capsize.cli.exits import BROKE, FAILED, broke, complain
from capsize.cli.interrupts import Interrupts
from capsize.cli.one import One, Outcome
from capsize.core.experiment import Experiment
from capsize.core.protocols import System
from capsize.core.verdict import ScenarioResult, Verdict
from capsize.report import RunReport, Summary, assemble, document, terminal
from capsize.report.files import write_summary


class Invocation(msgspec.Struct, frozen=True, kw_only=True):
    """What ``capsize run`` and ``capsize replay`` were asked for, checked and planned."""

    experiments: tuple[Experiment, ...]
    system: System
    platform: str
    output: Path
    base_url: str | None = None
    keep: bool = False
    verbose: bool = False
    as_json: bool = False
    command: str = ""


def carry_out(asked: Invocation) -> int:
    """Carry an invocation out, print its summary, and return the exit code.

    ``summary.json`` and ``summary.md`` are written after each scenario, so that a later crash leaves them.
    """
    display = choose(sys.stderr if asked.as_json else sys.stdout, verbose=asked.verbose)
    for seed in dict.fromkeys(experiment.seed for experiment in asked.experiments):
        display.say(f"Seed: {seed}")
    with asyncio.Runner(loop_factory=_event_loop()) as runner:
        return runner.run(_all(asked, display))


def _event_loop() -> Callable[[], asyncio.AbstractEventLoop] | None:
    """Return uvloop where there is one: capsize's own punctuality is part of every measurement."""
    try:
        from uvloop import new_event_loop
    except ImportError:
        return None
    return new_event_loop


async def _all(asked: Invocation, display: Display) -> int:
    interrupts = Interrupts(display.say)
    interrupts.listen()
    began = time.monotonic()
    reports: list[RunReport] = []
    outcome = Outcome()
    for number, experiment in enumerate(asked.experiments, start=1):
        skip = _why_not(interrupts, outcome)
        if skip:
            reports.append(assemble(_skipped(experiment, skip), experiment))
            continue
        one = One(experiment, asked.system, asked.platform, asked.output, asked.base_url, asked.keep)
        outcome = await one.carry_out(display, interrupts, number, len(asked.experiments))
        reports.append(outcome.required_report)
        write_summary(_summary(asked, reports, began), asked.output)
    whole = _summary(asked, reports, began)
    write_summary(whole, asked.output)
    _print(whole, asked)
    if outcome.crash is not None:
        complain(broke(outcome.crash, outcome.directory))
    return exit_code(whole.verdict, interrupts.exit_code, crashed=outcome.crash is not None)


def exit_code(verdict: Verdict, interrupted: int, *, crashed: bool) -> int:
    """Return the exit code: a crash first, then a failure that was proved, then the interrupt, then the verdict."""
    if crashed:
        return BROKE
    if verdict is Verdict.FAIL:
        return FAILED
    return interrupted or verdict.exit_code


def _why_not(interrupts: Interrupts, last: Outcome) -> str:
    if interrupts.caught is not None:
        return f"not begun: {interrupts.caught.name}"
    return "not begun: capsize broke before" if last.crash is not None else ""


def _skipped(experiment: Experiment, reason: str) -> ScenarioResult:
    return ScenarioResult(
        scenario=experiment.scenario,
        level=experiment.level.number,
        seed=experiment.seed,
        verdict=Verdict.UNKNOWN,
        duration_s=0.0,
        skipped=True,
        reason=reason,
        time_scale=experiment.level.time_scale,
    )


def _summary(asked: Invocation, reports: Sequence[RunReport], began: float) -> Summary:
    return Summary(runs=tuple(reports), duration_s=time.monotonic() - began, command=asked.command)


def _print(whole: Summary, asked: Invocation) -> None:
    text = document.summary(whole) if asked.as_json else terminal.summary(whole, verbose=asked.verbose)
    sys.stdout.write(text)
    sys.stdout.flush()
