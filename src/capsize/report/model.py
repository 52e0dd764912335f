"""What a report is made of: one run, and the invocation that ran it; frozen data."""

from __future__ import annotations

from collections.abc import Iterable

import msgspec

from capsize.core.events import Noted, RunEnded
from capsize.core.experiment import Experiment
from capsize.core.history import History
from capsize.core.verdict import ScenarioResult, Verdict, worst
from capsize.report.progress import Progress
from capsize.report.timeline import Moment, timeline

USAGE = 64
"""The exit code for a request that makes no sense."""


class SoFar(msgspec.Struct, frozen=True, kw_only=True):
    """What a run had done when its history ended; the main thing to tell of a history that was cut off."""

    last_phase: str = ""
    at_s: float = 0.0
    accepted: int = 0
    done: int = 0
    retries: int = 0
    strikes_planned: int = 0
    strikes_landed: int = 0


class RunReport(msgspec.Struct, frozen=True, kw_only=True):
    """One run, ready to be put into words.

    ``ended`` is ``completed``, ``interrupted``, ``broke``, ``not_steady``, ``aborted``, or ``cut off`` when capsize died,
    or empty when there is no history at all. ``replay`` is the command that carries out the same plan again,
    ``rejudge`` the one that judges the record again.
    """

    result: ScenarioResult
    purpose: str = ""
    level_name: str = ""
    platform: str = ""
    system: str = ""
    replay: str = ""
    rejudge: str = ""
    ended: str = ""
    ended_detail: str = ""
    so_far: SoFar = SoFar()
    timeline: tuple[Moment, ...] = ()
    warnings: tuple[str, ...] = ()


class Summary(msgspec.Struct, frozen=True, kw_only=True):
    """A whole invocation: its runs in order, how long it took, and the command that repeats it."""

    runs: tuple[RunReport, ...]
    duration_s: float
    command: str = ""

    @property
    def verdict(self) -> Verdict:
        """Return the worst verdict of the scenarios that ran; UNKNOWN when none did."""
        return worst(run.result.verdict for run in self.runs if not run.result.skipped)

    @property
    def skipped(self) -> int:
        """Return how many scenarios did not run."""
        return sum(run.result.skipped for run in self.runs)

    def counted(self, verdict: Verdict) -> int:
        """Return how many of the scenarios that ran came out so."""
        return sum(not run.result.skipped and run.result.verdict is verdict for run in self.runs)

    @property
    def invalid(self) -> int:
        """Return how many scenarios are broken themselves; they count as skipped too."""
        return sum(run.result.invalid for run in self.runs)

    @property
    def exit_code(self) -> int:
        """Return the exit code, if nothing interrupted the invocation: a scenario that is broken allows no 0."""
        if self.invalid and self.verdict is not Verdict.FAIL:
            return USAGE
        return self.verdict.exit_code

    @property
    def seeds(self) -> str:
        """Return the seed, or the first and the last of several."""
        seeds = list(dict.fromkeys(run.result.seed for run in self.runs))
        return " to ".join(str(seed) for seed in dict.fromkeys((*seeds[:1], *seeds[-1:])))

    @property
    def success_ratio(self) -> float | None:
        """Return the share of PASS among the scenarios that ran; None when none did."""
        ran = len(self.runs) - self.skipped
        return self.counted(Verdict.PASS) / ran if ran else None

    @property
    def time_scale(self) -> float:
        """Return the invocation's time scale, 1 for real time."""
        return next((run.result.time_scale for run in self.runs), 1.0)


def assemble(
    result: ScenarioResult,
    experiment: Experiment | None = None,
    history: History | None = None,
    *,
    program: str = "capsize",
) -> RunReport:
    """Make the report of one run from its result, its plan and as much history as there is.

    ``program`` is how the reader can call capsize.
    """
    history = History(()) if history is None else history
    began = history.began
    ended, detail = _ending(history)
    return RunReport(
        result=result,
        purpose=experiment.purpose if experiment else "",
        level_name=experiment.level.name if experiment else "",
        platform=began.platform if began else "",
        system=began.system if began else "",
        replay=f"{program} replay {result.run_dir}" if result.run_dir else "",
        rejudge=f"{program} judge {result.run_dir}" if result.run_dir else "",
        ended=ended,
        ended_detail=detail,
        so_far=_so_far(experiment, history),
        timeline=timeline(history),
        warnings=tuple(_warnings(history)),
    )


def _ending(history: History) -> tuple[str, str]:
    if history.ended is not None:
        return history.ended.how, history.ended.detail
    return ("cut off" if len(history) else ""), ""


def _so_far(experiment: Experiment | None, history: History) -> SoFar:
    progress = Progress()
    for event in history:
        progress.observe(event)
    return SoFar(
        last_phase=progress.phase,
        at_s=progress.t,
        accepted=len(progress.accepted),
        done=len(progress.done & progress.accepted),
        retries=progress.retries,
        strikes_planned=len(experiment.strikes) if experiment else 0,
        strikes_landed=progress.strikes["landed"],
    )


def _warnings(history: History) -> Iterable[str]:
    """Yield what a reader must know beside the verdict, each once."""
    if len(history) and history.ended is None:
        yield "The history stops in the middle: capsize was killed or is still running."
    elif isinstance(history.ended, RunEnded) and history.ended.how != "completed":
        yield f"The run did not complete: {history.ended.how} {history.ended.detail}".rstrip()
    yield from dict.fromkeys(note.message for note in history.of(Noted) if note.level != "info")


__all__ = ["Moment", "RunReport", "SoFar", "Summary", "assemble"]
