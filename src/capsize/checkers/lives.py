"""The tasks' lives, put together from the clients, the witness, the platform and the service's last word."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, field

from capsize.checkers.derived import derived
from capsize.checkers.fleet import Fleet, fleet
from capsize.core.events import Op, Reported, Stored, Witnessed
from capsize.core.history import History

RESETS = frozenset({"requeue", "retry"})
"""Calls after which a task that was over may run again."""
DELETES = frozenset({"delete", "purge"})


@dataclass(slots=True)
class Run:
    """One run of a task in one worker, from ``began`` to ``ended`` (None: open when the history ended).

    ``how`` is ``finished``, ``failed`` or ``abandoned`` as the worker announced it, ``exited`` when its process
    was gone first, ``open`` otherwise. ``finished`` and ``recorded`` are when each was first announced.
    ``unheard`` means that the witness never saw the run start.
    """

    task: str
    worker: str
    attempt: int
    began: float
    ended: float | None = None
    how: str = "open"
    finished: float | None = None
    recorded: float | None = None
    last_heard: float = 0.0
    unheard: bool = False

    def close(self, t: float, how: str) -> None:
        """End the run, unless it had ended before."""
        if self.ended is None:
            self.ended, self.how = t, how

    def inside(self, t: float) -> bool:
        """Return whether its worker was inside the task at a moment."""
        return self.began <= t and (self.ended is None or t <= self.ended)


@dataclass(slots=True)
class Life:
    """All that is known of one task. ``client`` is who submitted it: the label of its load.

    ``content`` is what its acknowledgement promised to keep.
    """

    task: str
    acknowledged: float | None = None
    client: str = ""
    runs: list[Run] = field(default_factory=list)
    cancels: list[tuple[float, bool]] = field(default_factory=list)
    resets: list[float] = field(default_factory=list)
    deletes: list[float] = field(default_factory=list)
    reported: Reported | None = None
    content: dict[str, str] = field(default_factory=dict)
    stored: Stored | None = None

    @property
    def finishes(self) -> list[Run]:
        """Return the runs that finished, in the order in which they did."""
        return sorted(
            (run for run in self.runs if run.finished is not None), key=lambda run: run.finished or 0
        )

    @property
    def finished(self) -> float | None:
        """Return when it was finished first."""
        return min((run.finished for run in self.runs if run.finished is not None), default=None)

    @property
    def recorded(self) -> float | None:
        """Return when a commit of its result was first confirmed to the witness."""
        return min((run.recorded for run in self.runs if run.recorded is not None), default=None)

    @property
    def status(self) -> str | None:
        """Return the service's last word on it, None when there was none."""
        if self.reported is None:
            return None
        return "failed" if self.reported.dead_lettered else self.reported.status


@dataclass(slots=True)
class Lives:
    """The lives of all tasks that anybody spoke of, by task."""

    tasks: dict[str, Life] = field(default_factory=dict)
    by_worker: dict[str, list[Run]] = field(default_factory=dict)
    heard: int = 0

    def __iter__(self) -> Iterator[Life]:
        return iter(self.tasks.values())

    @property
    def acknowledged(self) -> list[Life]:
        """Return the tasks that the service accepted, in the order in which it did."""
        return [life for life in self if life.acknowledged is not None]

    @property
    def audited(self) -> bool:
        """Return whether the service was asked for its last word at all."""
        return any(life.reported is not None for life in self)

    def of(self, task: str) -> Life:
        """Return a task's life, a new one for a task that was not heard of before."""
        if task not in self.tasks:
            self.tasks[task] = Life(task=task)
        return self.tasks[task]


@derived
def lives(history: History) -> Lives:
    """Build the lives. Several submissions with one key that were acknowledged with one task are one task."""
    made = Lives()
    for event in history:
        if isinstance(event, Op):
            _operation(made, event)
        elif isinstance(event, Witnessed):
            _announcement(made.of(event.task), event)
            made.heard += 1
        elif isinstance(event, Reported):
            made.of(event.task).reported = event
        elif isinstance(event, Stored):
            made.of(event.task).stored = event
    _close(made, fleet(history))
    return made


def _operation(made: Lives, op: Op) -> None:
    if op.task is None:
        return
    life = made.of(op.task)
    if op.call == "submit" and op.outcome == "ok" and life.acknowledged is None:
        life.acknowledged, life.client, life.content = op.t, op.client, op.content
    elif op.outcome == "fail":
        return
    elif op.call == "cancel":
        life.cancels.append((op.t, op.outcome == "ok"))
    elif op.call in RESETS:
        life.resets.append(op.sent)
    elif op.call in DELETES:
        life.deletes.append(op.sent)


def _announcement(life: Life, event: Witnessed) -> None:
    """Take an announcement into account; one that was delivered twice counts once.

    A worker repeats an announcement whose delivery it is not sure of. So a second ``started`` of the same
    worker and attempt is a second run only if it finishes a second time as well.
    """
    same = [run for run in life.runs if (run.worker, run.attempt) == (event.worker, event.attempt)]
    if event.event == "started":
        life.runs.append(_run(event))
        return
    run = _meant(same, event.event)
    if run is None:
        run = _run(event)
        run.unheard = True
        life.runs.append(run)
    run.last_heard = event.t
    if event.event == "recorded":
        run.recorded = event.t if run.recorded is None else run.recorded
        return
    if event.event == "finished" and run.finished is None:
        run.finished = event.t
    run.close(event.t, event.event)


def _meant(same: list[Run], event: str) -> Run | None:
    """Return the run that an announcement is about: the first still open, else the last."""
    if event == "recorded":
        return next((run for run in same if run.finished and not run.recorded), same[-1] if same else None)
    return next((run for run in same if run.ended is None), same[-1] if same else None)


def _run(event: Witnessed) -> Run:
    return Run(task=event.task, worker=event.worker, attempt=event.attempt, began=event.t, last_heard=event.t)


def _close(made: Lives, instances: Fleet) -> None:
    """Drop starts that were only heard twice, and end the runs whose process was gone."""
    for life in made:
        life.runs = _single(life.runs)
        for run in life.runs:
            made.by_worker.setdefault(run.worker, []).append(run)
            process = instances.at(run.worker, run.began, run.last_heard)
            if run.ended is None and process is not None and process.gone is not None:
                died = process.gone if process.died is None else process.died
                run.close(max(died, run.last_heard), "exited")


def _single(runs: list[Run]) -> list[Run]:
    """Leave out a run that never ended beside one of the same worker and attempt that did, or began sooner."""
    kept: dict[tuple[str, int], Run] = {}
    single: list[Run] = []
    for run in runs:
        key = (run.worker, run.attempt)
        if run.ended is None and key in kept:
            continue
        kept.setdefault(key, run)
        single.append(run)
    return single
