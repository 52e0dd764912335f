"""converged: after several faults at once the whole service is back, and at work."""

from __future__ import annotations

from typing import Any, ClassVar

import msgspec

from capsize.checkers.answers import back_after, ready
from capsize.checkers.compound import Volley, volleys
from capsize.checkers.figures import counted, quantile, seconds, verdict_of
from capsize.checkers.fleet import fleet, horizon, workers
from capsize.checkers.lives import lives
from capsize.checkers.strikes import services
from capsize.core.events import Witnessed
from capsize.core.history import History
from capsize.core.verdict import Finding, Result, Verdict

PARTS = ("api", "instances", "work")


class Converged(msgspec.Struct, frozen=True, kw_only=True):
    """Within ``target_s`` of the last healing of overlapping strikes everything is as before, at most ``limit_s``.

    Three things are timed, and the slowest counts: the availability probe is answered well ``good_in_row``
    times in a row (``api``); every instance has a ready process (``instances``); and every worker has begun or
    ended a run, or no accepted task waits (``work``): a worker that is up and does nothing while tasks wait has
    not come back. Time counts from when the last strike was taken back.

    Over the target is PARTIAL, over the limit FAIL; so is work that is not back ``work_s`` after the instances,
    a limit tighter than the guide's, since a worker that is there has only to look for a task. Volleys that the next one, or the end, followed sooner than
    they were over it are counted and not judged. UNKNOWN when none is left, and when never ``at_once_min``
    strikes were in effect together: then nothing was shown of faults that come together.
    """

    name: ClassVar[str] = "converged"

    target_s: float = 20.0
    limit_s: float = 30.0
    work_s: float = 10.0
    good_in_row: int = 5
    at_once_min: int = 2

    def check(self, history: History) -> Result:
        """Time each volley's aftermath."""
        found = volleys(history)
        took: list[dict[str, float | None]] = []
        bad: list[tuple[Volley, dict[str, float | None]]] = []
        open_ = 0
        for number, volley in enumerate(found):
            until = found[number + 1].begin if number + 1 < len(found) else horizon(history)
            parts = {part: self._back(history, volley, part, until) for part in PARTS}
            if all(back is not None and back <= limit for back, limit in self._limits(parts)):
                took.append(parts)
            elif any(
                until - volley.over > limit
                for back, limit in self._limits(parts)
                if back is None or back > limit
            ):
                bad.append((volley, parts))
            else:
                open_ += 1
        return self._result(found, took, bad, open_)

    # ------------------------------------------------------------ the three parts

    def _back(self, history: History, volley: Volley, part: str, until: float) -> float | None:
        """Return the seconds from the end of the volley until a part was back; None: not before ``until``."""
        match part:
            case "api":
                back = back_after(ready(history), volley.begin, volley.over, self.good_in_row).back
            case "instances":
                back = _instances_back(history, volley)
            case _:
                back = _work_back(history, volley.over, until)
        if back is None or back > until:
            return None
        return max(0.0, back - volley.over)

    def _limits(self, parts: dict[str, float | None]) -> list[tuple[float | None, float]]:
        """Return each part's time and its limit."""
        instances = parts["instances"]
        work = self.limit_s if instances is None else min(self.limit_s, instances + self.work_s)
        return [(back, work if part == "work" else self.limit_s) for part, back in parts.items()]

    # ------------------------------------------------------------ what follows

    def _result(
        self,
        found: tuple[Volley, ...],
        took: list[dict[str, float | None]],
        bad: list[tuple[Volley, dict[str, float | None]]],
        still_open: int,
    ) -> Result:
        findings = tuple(self._finding(volley, parts) for volley, parts in bad)
        times = [max(back or 0.0 for back in parts.values()) for parts in took]
        at_once = max((volley.at_once for volley in found), default=0)
        doubt = None
        if not took and not bad:
            doubt = f"{counted(len(found), 'volley')} of strikes, none followed to its end"
        elif at_once < self.at_once_min:
            doubt = f"at most {at_once} strikes were in effect at once; {self.at_once_min} are needed"
        verdict = verdict_of(findings, unknown=doubt is not None)
        if verdict is Verdict.PASS and max(times) > self.target_s:
            verdict = Verdict.PARTIAL
        fine = f"all back and at work {max(times, default=0.0):.2f} s after up to {at_once} faults at once"
        measures: dict[str, Any] = {
            "volleys": len(found),
            "converged": len(took),
            "not_judged": still_open,
            "at_once_max": at_once,
        }
        if times:
            measures["converged_p50_s"] = seconds(quantile(times, 0.5))
            measures["converged_max_s"] = seconds(max(times))
            for part in PARTS:
                measures[f"{part}_back_max_s"] = seconds(max(parts[part] or 0.0 for parts in took))
        return Result(
            checker=self.name,
            verdict=verdict,
            summary=findings[0].message if findings else doubt or fine,
            measures=measures,
            findings=findings,
        )

    def _finding(self, volley: Volley, parts: dict[str, float | None]) -> Finding:
        missing = [
            f"{part} not" if back is None else f"{part} only after {back:.1f} s"
            for part, (back, limit) in zip(parts, self._limits(parts), strict=True)
            if back is None or back > limit
        ]
        names = ", ".join(f"{one.id} ({one.fault} {', '.join(one.victims)})" for one in volley.strikes)
        message = (
            f"{names} were taken back at {volley.over:.3f} s, and the service did not come back in time: "
            f"{'; '.join(missing)}"
        )
        story = tuple(
            f"{t:8.3f} {one.id} {one.fault} {', '.join(one.victims)}: {stage}"
            for one in volley.strikes
            for stage, t in one.stages.items()
        )
        return Finding(anomaly="converged", message=message, story=tuple(sorted(story)))


def _instances_back(history: History, volley: Volley) -> float | None:
    """Return when every instance that went away in a volley, or before all were back, was ready again.

    What was away before it (a job that is done) stays out of it.
    """
    instances = fleet(history)
    back = volley.over
    for low, high in sorted(span for name in services(history) for span in instances.away(name)):
        if volley.begin <= low <= back:
            back = max(back, high)
    return None if back >= instances.end_s else back


def _work_back(history: History, over: float, until: float) -> float | None:
    """Return when every worker had said something of a task again, or when no task waited any more."""
    crew = {name for name in workers(history) if name in services(history)}
    last_heard: dict[str, float] = {}
    for event in history.of(Witnessed):
        if event.t >= over and event.worker in crew:
            last_heard.setdefault(event.worker, event.t)
    idle = _nothing_waits(history, over, until)
    moments = [min(last_heard.get(name, float("inf")), idle) for name in crew]
    back = max(moments, default=idle)
    return None if back == float("inf") else back


def _nothing_waits(history: History, over: float, until: float) -> float:
    """Return the first moment after ``over`` at which every task accepted by then had been begun by somebody."""
    begun = sorted(
        (life.acknowledged or 0.0, max((run.began for run in life.runs), default=float("inf")))
        for life in lives(history).acknowledged
    )
    moment = over
    for acknowledged, began in begun:
        if acknowledged <= moment < began:
            moment = began
    return moment if moment <= until else float("inf")
