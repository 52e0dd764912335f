"""scaling: more or fewer workers as asked, soon, and at nobody's cost."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any, ClassVar

import msgspec

from capsize.checkers.figures import counted, seconds
from capsize.checkers.fleet import fleet
from capsize.checkers.lives import lives
from capsize.checkers.newcomers import Newcomer, newcomers
from capsize.checkers.resizes import Resize, resizes
from capsize.core.events import InstanceChanged
from capsize.core.history import History
from capsize.core.verdict import Finding, Result, Verdict


class Scaling(msgspec.Struct, frozen=True, kw_only=True):
    """Each step of ``steps`` (strike id to count) had its size in time, and each worker left or joined in order.

    A step down is done when the surplus is gone, within ``down_s``; a step up when the new ones are ready,
    within ``up_s``. Who was taken away ended with exit code 0, and every task that it was inside of was
    finished or handed back first: not failed, not cut off, and counted neither as a failed attempt nor as a
    lost worker by the service. Who was added began a task within ``first_task_s`` of being ready, if work
    waited all that time.

    UNKNOWN when a step was not carried out, when no worker that left was inside a task, and when no worker
    that joined found work waiting.
    """

    name: ClassVar[str] = "scaling"

    steps: dict[str, int]
    service: str = "worker"
    down_s: float = 15.0
    up_s: float = 10.0
    first_task_s: float = 3.0

    def check(self, history: History) -> Result:
        """Look at each step, at who left and at who joined."""
        done = resizes(history, self.service, self.steps)
        joined = [one for step in done for one in newcomers(history, step)]
        problems = [why for step in done for why in self._slow(step)]
        problems += [why for step in done for why in _left_badly(history, step)]
        problems += [why for one in joined if (why := self._idle(one))]
        left_inside = sum(len(step.inside(history)) for step in done)
        doubt = self._doubt(done, left_inside, joined)
        verdict = Verdict.FAIL if problems else Verdict.UNKNOWN if doubt else Verdict.PASS
        return Result(
            checker=self.name,
            verdict=verdict,
            summary=problems[0] if problems else doubt or _summary(done, left_inside),
            measures=_measures(history, done, joined),
            findings=tuple(Finding(anomaly=self.name, message=problem) for problem in problems),
        )

    def _slow(self, step: Resize) -> Iterator[str]:
        limit = self.up_s if step.up else self.down_s
        what = f"scaling {self.service} from {step.before} to {step.to} at {step.begin:.3f} s"
        if step.reached is None and step.seen_until - step.begin > limit:
            yield f"{what} was never done: {step.found} were there in the end"
        elif step.reached is not None and step.reached - step.begin > limit:
            yield f"{what} took {step.reached - step.begin:.1f} s; {limit:g} s is the limit"

    def _idle(self, one: Newcomer) -> str | None:
        if not one.work_waited_s > self.first_task_s:
            return None
        first = (
            "no task" if one.first_run is None else f"its first task after {one.first_run - one.ready:.1f} s"
        )
        return (
            f"{one.instance}, ready at {one.ready:.3f} s, began {first}, though work waited: "
            f"{self.first_task_s:g} s is the limit"
        )

    def _doubt(self, done: list[Resize], left_inside: int, joined: list[Newcomer]) -> str | None:
        missing = sorted(set(self.steps) - {step.strike for step in done})
        if missing:
            return f"{counted(len(missing), 'step')} not carried out: {', '.join(missing)}"
        unfinished = [step for step in done if step.reached is None]
        if unfinished:
            return f"the run ended before {unfinished[0].strike} had its size"
        if any(not step.up for step in done) and not left_inside:
            return "no worker that was taken away was inside a task"
        if any(step.up for step in done) and not any(one.proven for one in joined):
            return "no work waited for any of the new workers"
        return None


def _left_badly(history: History, step: Resize) -> Iterator[str]:
    """Yield what went wrong with the workers that a step took away, and with their tasks."""
    for event in history.of(InstanceChanged):
        gone = event.state in ("stopped", "exited") and step.begin <= event.t <= step.seen_until
        if gone and event.instance in step.removed and event.code:
            how = f"signal {-event.code}" if event.code < 0 else f"exit code {event.code}"
            yield f"{event.instance} was to leave and ended with {how}"
    for run in step.inside(history):
        life = lives(history).of(run.task)
        if run.how == "failed":
            yield f"{run.worker} announced task {run.task} as failed when it was to leave"
        elif run.how in ("exited", "open") and run.finished is None:
            yield f"{run.worker} left without finishing task {run.task} or handing it back"
        said = life.reported
        if said is not None and said.losses:
            yield f"task {run.task} of {run.worker} counts {counted(said.losses, 'lost worker')} after an orderly leave"
        if said is not None and said.attempts and run.how != "failed":
            yield f"task {run.task} of {run.worker} counts {counted(said.attempts, 'failed attempt')} after an orderly leave"


def _measures(history: History, done: list[Resize], joined: list[Newcomer]) -> dict[str, Any]:
    runs = [run for step in done for run in step.inside(history)]
    measures: dict[str, Any] = {
        "steps": len(done),
        "left": sum(len(step.removed) for step in done),
        "left_inside_a_task": len(runs),
        "finished_on_leaving": sum(run.how == "finished" for run in runs),
        "handed_back": sum(run.how == "abandoned" for run in runs),
        "joined": len(joined),
        "joined_with_work_waiting": sum(one.proven for one in joined),
    }
    for way, up in (("up", True), ("down", False)):
        took = [step.reached - step.begin for step in done if step.up is up and step.reached is not None]
        if took:
            measures[f"scale_{way}_max_s"] = seconds(max(took))
    # The witness may hear of the first task before the platform reads that the worker is ready.
    first = [max(0.0, one.first_run - one.ready) for one in joined if one.first_run is not None]
    if first:
        measures["first_task_max_s"] = seconds(max(first))
    measures["instances"] = len(fleet(history).incarnations)
    return measures


def _summary(done: list[Resize], left_inside: int) -> str:
    longest = max((step.reached or 0.0) - step.begin for step in done)
    return (
        f"{counted(len(done), 'step')} done within {longest:.1f} s each; "
        f"{counted(left_inside, 'task')} of leaving workers finished or handed back"
    )
