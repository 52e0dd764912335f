"""What the run knows of the tasks at this moment, kept up to date by watching what is recorded."""

from __future__ import annotations

from collections.abc import Iterable

from capsize.core.events import Event, InstanceChanged, Op, Reported, Sample, Witnessed
from capsize.core.protocols import Record

FINAL = frozenset({"completed", "failed", "cancelled"})
"""The states at the service in which a task needs no more work."""


class LiveProgress:
    """A :class:`~capsize.core.protocols.Progress` that learns from every event; pure, no clock, no I/O.

    A task is over when the witness saw ``recorded``, when the service reports a final state for it, or when a
    ``stats`` sample counts nothing pending and nothing running and the task was acknowledged before that look
    began. The last two cover what the witness can't see: a worker that died between its commit and its
    announcement, and a task that went to the dead-letter queue. They are the service's word, good enough to
    end a wait; checkers do not judge by it.

    A worker is busy from ``started`` until the same run's next announcement or the exit of its instance.
    Announcements may be repeated or arrive after the exit of their sender; neither makes a worker busy again.
    """

    def __init__(self) -> None:
        self._acknowledged: dict[str, float] = {}
        self._over: set[str] = set()
        self._runs: dict[tuple[str, int, str], None] = {}
        self._ended: set[tuple[str, int, str]] = set()
        self._exited: set[str] = set()
        self._views: dict[str, frozenset[str]] = {}

    def watching(self, record: Record) -> Record:
        """Return a Record that shows each event to this object and then writes it down."""

        def both(event: Event) -> None:
            self.observe(event)
            record(event)

        return both

    def observe(self, event: Event) -> None:
        """Learn from one event."""
        if isinstance(event, Witnessed):
            self._announced(event)
        elif isinstance(event, Op):
            if event.outcome == "ok" and event.task is not None and event.task not in self._acknowledged:
                self._acknowledged[event.task] = event.t
                self._views.pop("acknowledged", None)
        elif isinstance(event, InstanceChanged):
            self._changed(event)
        elif isinstance(event, Sample):
            self._counted(event)
        elif isinstance(event, Reported) and event.status in FINAL:
            self._end_of([event.task])

    # ------------------------------------------------------------ Progress

    def acknowledged(self) -> frozenset[str]:
        """Return the ids of the tasks that the service accepted."""
        return self._view("acknowledged", self._acknowledged)

    def over(self) -> frozenset[str]:
        """Return the ids of tasks that need no more work."""
        return self._view("over", self._over)

    def busy(self) -> frozenset[str]:
        """Return the workers that are inside a task, by the witness."""
        return frozenset(worker for _, _, worker in self._runs)

    def inside(self) -> dict[str, frozenset[str]]:
        """Return for each busy worker the tasks that it is inside of."""
        tasks: dict[str, set[str]] = {}
        for task, _, worker in self._runs:
            tasks.setdefault(worker, set()).add(task)
        return {worker: frozenset(inside) for worker, inside in tasks.items()}

    # ------------------------------------------------------------ learning

    def _announced(self, event: Witnessed) -> None:
        run = (event.task, event.attempt, event.worker)
        if event.event == "started":
            if run not in self._ended and event.worker not in self._exited:
                self._runs[run] = None
            return
        self._ended.add(run)
        self._runs.pop(run, None)
        if event.event == "recorded":
            self._end_of([event.task])

    def _changed(self, event: InstanceChanged) -> None:
        if event.state in ("starting", "ready"):
            self._exited.discard(event.instance)
            return
        self._exited.add(event.instance)
        for run in [run for run in self._runs if run[2] == event.instance]:
            self._ended.add(run)
            del self._runs[run]

    def _counted(self, event: Sample) -> None:
        if event.probe != "stats" or event.error is not None:
            return
        if event.values.get("pending") == 0 and event.values.get("running") == 0:
            self._end_of(task for task, at in self._acknowledged.items() if at <= event.began)

    def _end_of(self, tasks: Iterable[str]) -> None:
        before = len(self._over)
        self._over.update(tasks)
        if len(self._over) != before:
            self._views.pop("over", None)

    def _view(self, name: str, ids: Iterable[str]) -> frozenset[str]:
        if name not in self._views:
            self._views[name] = frozenset(ids)
        return self._views[name]
