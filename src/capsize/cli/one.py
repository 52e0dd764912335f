"""One scenario of an invocation: carried out, judged, reported, whatever happens on the way."""

from __future__ import annotations

import asyncio
import shlex
import shutil
import time
from dataclasses import dataclass
from pathlib import Path
from typing import Literal

from capsize.cli import telemetry
from capsize.cli.display import Display
from capsize.cli.exits import complain, write_trace
from capsize.cli.interrupts import Interrupts
from capsize.cli.options import program
from capsize.core.errors import CapsizeError, HealError, HistoryError, NotSupported, UsageError
from capsize.core.experiment import Experiment
from capsize.core.history import History
from capsize.core.system import System
from capsize.core.verdict import Judgement, ScenarioResult, Verdict, worst
from capsize.report import RunReport, assemble
from capsize.report.files import write_metrics, write_page, write_run
from capsize.report.terminal import result_line
from capsize.rundir import RunDirectory


@dataclass(frozen=True)
class Outcome:
    """How one scenario came out for the invocation: its report, and what broke capsize if anything did."""

    report: RunReport | None = None
    crash: str = ""
    directory: Path | None = None

    @property
    def required_report(self) -> RunReport:
        """Return the report of a scenario that was carried out."""
        if self.report is None:
            raise ValueError("this scenario was not carried out")
        return self.report


@dataclass
class _Ending:
    """What ended the run, apart from its verdict: the least verdict that it allows, and why."""

    least: Verdict = Verdict.PASS
    reason: str = ""
    skipped: bool = False
    crash: str = ""


@dataclass(frozen=True)
class One:
    """One experiment and where it is carried out."""

    experiment: Experiment
    system: System
    platform: str
    output: Path
    base_url: str | None = None
    keep: bool = False

    async def carry_out(self, display: Display, interrupts: Interrupts, number: int, total: int) -> Outcome:
        """Carry it out and return its outcome. Raises only :class:`UsageError`, before anything started."""
        directory = RunDirectory.create(self.output, self.experiment)
        display.begin(self.experiment, directory.path, number, total)
        began = time.monotonic()
        try:
            ending = await self._run(directory, display, interrupts)
        except UsageError:
            display.end(f"{self.experiment.scenario}: not begun")
            _discard(directory)
            raise
        report = _reported(self.experiment, directory, ending, time.monotonic() - began)
        display.end(result_line(report.result))
        _tell_left_up(directory, display)
        if ending.skipped:
            _discard(directory)
        return Outcome(report, ending.crash, None if ending.skipped else directory.path)

    async def _run(self, directory: RunDirectory, display: Display, interrupts: Interrupts) -> _Ending:
        try:
            # Imported here, so that a part that does not even load is a crash with a run directory.
            from capsize.runner import execute

            work = execute(
                self.experiment,
                directory=directory,
                system=self.system,
                platform=self.platform,
                observer=display.observe,
                keep=self.keep,
                base_url=self.base_url,
            )
            await interrupts.run(asyncio.create_task(work))
        except UsageError:
            raise
        except NotSupported as error:
            return _Ending(Verdict.UNKNOWN, str(error), skipped=True)
        except HealError as error:
            return _Ending(Verdict.FAIL, str(error))
        except CapsizeError as error:
            return _Ending(Verdict.UNKNOWN, str(error))
        except asyncio.CancelledError:
            name = interrupts.caught.name if interrupts.caught else "a cancellation"
            return _Ending(Verdict.UNKNOWN, f"interrupted by {name}")
        except Exception as error:
            write_trace(error, directory.path)
            return _Ending(Verdict.UNKNOWN, f"capsize broke: {_named(error)}", crash=_named(error))
        return _Ending()


def _named(error: BaseException) -> str:
    return f"{type(error).__name__}: {error}"


def _reported(
    experiment: Experiment, directory: RunDirectory, ending: _Ending, duration_s: float
) -> RunReport:
    """Judge what there is and write the reports; what breaks here is capsize's crash too."""
    judgement: Judgement | None = None
    history: History | None = None
    try:
        if not ending.skipped:
            history = directory.history()
            judgement = judge(experiment, history)
            directory.write_judgement(judgement)
    except HistoryError as error:
        ending.least, ending.reason = worst((ending.least, Verdict.UNKNOWN)), ending.reason or str(error)
    except Exception as error:
        write_trace(error, directory.path)
        ending.least, ending.crash = worst((ending.least, Verdict.UNKNOWN)), ending.crash or _named(error)
        ending.reason = ending.reason or f"it could not be judged: {_named(error)}"
    verdict = worst((ending.least, judgement.verdict)) if judgement else ending.least
    stopped, aborted = stopped_by(history, "not_steady"), stopped_by(history, "aborted")
    result = ScenarioResult(
        scenario=experiment.scenario,
        level=experiment.level.number,
        seed=experiment.seed,
        verdict=verdict,
        duration_s=duration_s,
        skipped=ending.skipped,
        not_steady=stopped is not None,
        aborted=aborted is not None,
        reason=ending.reason or stopped or aborted or "",
        run_dir=None if ending.skipped else str(directory.path),
        time_scale=experiment.level.time_scale,
        judgement=judgement,
    )
    report = assemble(result, experiment, history, program=program())
    if not ending.skipped:
        write_run(report, directory.path)
        if history is not None:
            write_metrics(directory.path, experiment, history, judgement)
        _draw(report, directory, experiment, history)
        if history is not None:
            telemetry.send(experiment, history, judgement)
    return report


def _draw(
    report: RunReport, directory: RunDirectory, experiment: Experiment, history: History | None
) -> None:
    """Write the page; a page that can't be written is a defect to be told, and takes nothing from the verdict."""
    try:
        write_page(report, directory.path, experiment, history)
    except Exception as error:
        trace = write_trace(error, directory.path)
        complain(f"report.html could not be written: {_named(error)}", hint=f"The trace: {trace}")


def died(experiment: Experiment, directory: Path, reason: str, duration_s: float) -> RunReport:
    """Judge and report a run whose process ended without a word, as far as it got."""
    ending = _Ending(Verdict.UNKNOWN, reason)
    return _reported(experiment, RunDirectory(directory), ending, duration_s)


def not_begun(experiment: Experiment, why: str, *, invalid: bool = False, crash: str = "") -> Outcome:
    """Return the outcome of a scenario that was not carried out at all."""
    result = ScenarioResult(
        scenario=experiment.scenario,
        level=experiment.level.number,
        seed=experiment.seed,
        verdict=Verdict.UNKNOWN,
        duration_s=0.0,
        skipped=True,
        invalid=invalid,
        reason=why if invalid else f"not begun: {why}",
        time_scale=experiment.level.time_scale,
    )
    return Outcome(assemble(result, experiment), crash)


def judge(experiment: Experiment, history: History) -> Judgement:
    """Judge a history by the claims of its experiment."""
    from capsize.checkers import judge as judged

    return judged(experiment, history)


def stopped_by(history: History | None, how: Literal["not_steady", "aborted"]) -> str | None:
    """Return why a run stopped before anything was harmed, or at a guardrail; None when it did not."""
    ended = history.ended if history else None
    return ended.detail if ended is not None and ended.how == how else None


def _discard(directory: RunDirectory) -> None:
    """Take away the directory of a run that never began: it holds a plan and nothing else."""
    if not directory.history_path.exists() or directory.history_path.stat().st_size == 0:
        shutil.rmtree(directory.path, ignore_errors=True)


def _tell_left_up(directory: RunDirectory, display: Display) -> None:
    left = directory.left_up()
    if left is not None:
        display.say(f"    left up: API {left.api_url}, database {left.database_url}")
        display.say(f"    end it with: {program()} down --run {shlex.quote(str(directory.path))}")
