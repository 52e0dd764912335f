"""queue: work queues up while there is too much of it, and the queue empties afterwards."""

from __future__ import annotations

from typing import Any, ClassVar

import msgspec

from capsize.checkers.backlog import depth
from capsize.checkers.figures import counted, seconds
from capsize.checkers.fleet import horizon
from capsize.checkers.lives import lives
from capsize.checkers.slopes import theil_sen
from capsize.core.events import Sample
from capsize.core.history import History
from capsize.core.verdict import Finding, Result, Verdict

GROWTH_SAMPLES = 5


class Queue(msgspec.Struct, frozen=True, kw_only=True):
    """After the last submission was acknowledged the queue is down to ``near`` tasks within ``settle_s``.

    The queue is down when the clients and the witness know of no more than ``near`` tasks that wait; its depth
    over time is what the service counts as pending. It may not grow once nothing more comes in: a slope whose
    whole 95% interval is above zero fails. UNKNOWN when the depth never reached ``peak_min`` (nothing queued,
    nothing proven), when nobody looked, and when the phases ended sooner than ``settle_s`` with work left.
    """

    name: ClassVar[str] = "queue"

    settle_s: float
    near: int = 2
    peak_min: int = 1

    def check(self, history: History) -> Result:
        """Follow the depth over time."""
        looks = [(s.began, s.values["pending"]) for s in history.of(Sample) if _counted(s)]
        last = max((life.acknowledged or 0.0 for life in lives(history).acknowledged), default=None)
        if not looks or last is None:
            summary = "nobody looked at the queue" if last is not None else "no task was accepted"
            return Result(checker=self.name, verdict=Verdict.UNKNOWN, summary=summary)
        after = [(t, pending) for t, pending in looks if t >= last]
        drained = self._drained(history, last)
        peak = max(pending for _, pending in looks)
        problem, doubt = self._problem(history, after, drained, last), None
        if drained is None and problem is None:
            doubt = f"the run ended {horizon(history) - last:.1f} s after the last submission, with work left"
        elif peak < self.peak_min:
            doubt = f"at most {counted(peak, 'task')} queued up; {self.peak_min} are needed to judge"
        verdict = Verdict.FAIL if problem else Verdict.UNKNOWN if doubt else Verdict.PASS
        fine = f"up to {counted(peak, 'task')} queued, all gone {drained or 0.0:.1f} s after the last came in"
        return Result(
            checker=self.name,
            verdict=verdict,
            summary=problem or doubt or fine,
            measures=_measures(looks, after, drained),
            findings=(_finding(self.name, problem, looks),) if problem else (),
        )

    def _drained(self, history: History, last: float) -> float | None:
        """Return how long after a moment the queue was down; None when it was not before the last phase's end."""
        waiting_then = 0
        for t, waiting in depth(history):
            if t <= last:
                waiting_then = waiting
            elif waiting_then <= self.near:
                return 0.0
            elif waiting <= self.near:
                # What still waits at the end has its last step there, when the looking ended and not the wait.
                return t - last if t < horizon(history) else None
        return 0.0 if waiting_then <= self.near else None

    def _problem(
        self, history: History, after: list[tuple[float, int]], drained: float | None, last: float
    ) -> str | None:
        if drained is not None and drained <= self.settle_s:
            return None
        rising = [(t, float(pending)) for t, pending in after if drained is None or t <= last + drained]
        slope = theil_sen([t for t, _ in rising], [pending for _, pending in rising])
        if slope is not None and slope.n >= GROWTH_SAMPLES and slope.low > 0:
            return f"the queue grew by {slope.middle:.1f} tasks/s although nothing more came in"
        if drained is not None:
            return f"the queue took {drained:.1f} s to empty; {self.settle_s:g} s is the limit"
        if horizon(history) - last > self.settle_s:
            left = after[-1][1] if after else 0
            return (
                f"{counted(left, 'task')} still queued {horizon(history) - last:.1f} s after the last came in"
            )
        return None


def _counted(sample: Sample) -> bool:
    return sample.probe == "stats" and sample.error is None and type(sample.values.get("pending")) is int


def _measures(
    looks: list[tuple[float, int]], after: list[tuple[float, int]], drained: float | None
) -> dict[str, Any]:
    return {
        "looks": len(looks),
        "depth_max": max(pending for _, pending in looks),
        "depth_at_the_last_submission": after[0][1] if after else None,
        "drained_s": None if drained is None else seconds(drained),
    }


def _finding(name: str, problem: str, looks: list[tuple[float, int]]) -> Finding:
    step = max(1, len(looks) // 20)
    story = tuple(f"{t:8.3f} {pending} pending" for t, pending in looks[::step])
    return Finding(anomaly=name, message=problem, story=story)
