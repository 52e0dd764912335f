"""An invocation: several experiments, each carried out, judged and reported; one after the other, or side by side."""

from __future__ import annotations

import asyncio
import os
import sys
import time
from collections.abc import Callable
from pathlib import Path

import msgspec

from capsize.cli.display import Display, choose
from capsize.cli.exits import BROKE, FAILED, USAGE, broke_in, complain
from capsize.cli.interrupts import Interrupts
from capsize.cli.one import One, Outcome, not_begun
from capsize.cli.schedule import Jobs, rounds
from capsize.cli.targets import Target, tell_github, write_all
from capsize.core.experiment import Experiment
from capsize.core.system import System
from capsize.core.verdict import ScenarioResult, Verdict
from capsize.report import Summary, assemble, document, terminal
from capsize.report.files import write_summary


class Invocation(msgspec.Struct, frozen=True, kw_only=True):
    """What ``capsize run`` and ``capsize replay`` were asked for, checked and planned.

    ``invalid`` are scenarios that are broken themselves: they are reported and not begun. ``alone`` names the
    scenarios that automatic ``jobs`` keep from running beside others. ``reports`` are forms of the summary and
    the files that they go to, beside what is always written. ``told`` makes what is printed at the end, in the
    place of the summary.
    """

    experiments: tuple[Experiment, ...]
    system: System
    platform: str
    output: Path
    base_url: str | None = None
    keep: bool = False
    verbose: bool = False
    live: bool = False
    as_json: bool = False
    command: str = ""
    jobs: Jobs = 1
    alone: frozenset[str] = frozenset()
    invalid: tuple[ScenarioResult, ...] = ()
    reports: tuple[Target, ...] = ()
    told: Callable[[Summary], str] | None = None


def carry_out(asked: Invocation) -> int:
    """Carry an invocation out, print its summary, and return the exit code.

    ``summary.json`` and ``summary.md`` are written after each scenario, so that a later crash leaves them.
    """
    display = choose(sys.stderr if asked.as_json else sys.stdout, verbose=asked.verbose, live=asked.live)
    display.say(_seeds(asked))
    for broken in asked.invalid:
        complain(f"{broken.scenario}: {broken.reason}", where="capsize run")
    with asyncio.Runner(loop_factory=event_loop()) as runner:
        return runner.run(_all(asked, display))


def event_loop() -> Callable[[], asyncio.AbstractEventLoop] | None:
    """Return uvloop where there is one: capsize's own punctuality is part of every measurement."""
    try:
        from uvloop import new_event_loop
    except ImportError:
        return None
    return new_event_loop


class _Collected:
    """The outcomes so far, by the number of their experiment."""

    def __init__(self, asked: Invocation) -> None:
        self._asked = asked
        self._began = time.monotonic()
        self._outcomes: dict[int, Outcome] = {}

    def add(self, number: int, outcome: Outcome) -> None:
        """Take an outcome, and write the summary of all so far."""
        self._outcomes[number] = outcome
        write_summary(self.summary, self._asked.output)

    @property
    def summary(self) -> Summary:
        """Return what is there so far, in the order asked for."""
        reports = [self._outcomes[number].required_report for number in sorted(self._outcomes)]
        reports += [assemble(broken) for broken in self._asked.invalid]
        duration_s = time.monotonic() - self._began
        return Summary(runs=tuple(reports), duration_s=duration_s, command=self._asked.command)

    @property
    def crashes(self) -> list[Outcome]:
        """Return the outcomes in which capsize itself broke."""
        return [outcome for outcome in self._outcomes.values() if outcome.crash]


async def _all(asked: Invocation, display: Display) -> int:
    interrupts = Interrupts(display.say)
    interrupts.listen()
    collected = _Collected(asked)
    if asked.jobs == 1:
        await _in_turn(asked, display, interrupts, collected)
    else:
        await _side_by_side(asked, display, interrupts, collected)
    whole = collected.summary
    write_summary(whole, asked.output)
    write_all(whole, asked.reports)
    _print(whole, asked)
    tell_github(whole, os.environ, as_json=asked.as_json)
    for outcome in collected.crashes:
        complain(broke_in(outcome.crash, outcome.directory))
    return exit_code(
        whole.verdict,
        interrupts.exit_code,
        crashed=bool(collected.crashes),
        invalid=bool(asked.invalid),
    )


async def _in_turn(
    asked: Invocation, display: Display, interrupts: Interrupts, collected: _Collected
) -> None:
    """Carry the experiments out in this process; after a signal or a crash no further one is begun."""
    outcome = Outcome()
    for number, experiment in enumerate(asked.experiments):
        stop = (
            interrupts.caught.name if interrupts.caught else "capsize broke before" if outcome.crash else ""
        )
        if stop:
            collected.add(number, not_begun(experiment, stop))
            continue
        one = One(experiment, asked.system, asked.platform, asked.output, asked.base_url, asked.keep)
        outcome = await one.carry_out(display, interrupts, number + 1, len(asked.experiments))
        collected.add(number, outcome)


async def _side_by_side(
    asked: Invocation, display: Display, interrupts: Interrupts, collected: _Collected
) -> None:
    """Carry the experiments out in processes of their own; a crash of one harms no other."""
    from capsize.cli.parallel import SideBySide, Terms

    planned = rounds(asked.experiments, asked.jobs, asked.alone)
    for one in planned:
        display.say(f"{len(one.numbers)} runs, at most {one.jobs} at once")
    terms = Terms(
        system=asked.system.name,
        platform=asked.platform,
        output=asked.output,
        keep=asked.keep,
        verbose=asked.verbose,
    )
    await SideBySide(asked.experiments, terms, display, interrupts, collected.add).run(planned)


def exit_code(verdict: Verdict, interrupted: int, *, crashed: bool, invalid: bool = False) -> int:
    """Return the exit code: a crash first, then a failure that was proved, then the interrupt, then a scenario that
    is broken itself, then the verdict.
    """
    if crashed:
        return BROKE
    if verdict is Verdict.FAIL:
        return FAILED
    return interrupted or (USAGE if invalid else verdict.exit_code)


def _seeds(asked: Invocation) -> str:
    seeds = list(dict.fromkeys(experiment.seed for experiment in asked.experiments))
    return f"Seed: {seeds[0]}" + (f" to {seeds[-1]}" if len(seeds) > 1 else "")


def _print(whole: Summary, asked: Invocation) -> None:
    text = document.summary(whole) if asked.as_json else terminal.summary(whole, verbose=asked.verbose)
    if asked.told is not None:
        text = asked.told(whole)
    sys.stdout.write(text)
    sys.stdout.flush()
