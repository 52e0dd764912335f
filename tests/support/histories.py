"""Literal histories, readable: one line of code for each thing that happened."""

from __future__ import annotations

from typing import Any

from capsize.core.events import (
    Announcement,
    Called,
    DependencyChanged,
    DependencyMode,
    Event,
    InstanceChanged,
    InstanceState,
    Op,
    Outcome,
    PhaseChanged,
    Reported,
    RunBegan,
    RunEnded,
    Sample,
    Stored,
    StrikeStage,
    Struck,
    Witnessed,
)
from capsize.core.experiment import Experiment, Spec
from capsize.core.history import History
from capsize.core.levels import level


class Past:
    """Collects events in any order; every method returns the object, so that a history reads as a list.

    Times come first and are seconds of the run. ``history()`` puts the events in order.
    """

    def __init__(self, *workers: str) -> None:
        self.events: list[Event] = []
        for worker in workers:
            self.up(0.0, worker)

    def history(self, *, truncated: bool = False) -> History:
        """Return the history; events of the same moment stay in the order in which they were told."""
        return History(sorted(self.events, key=lambda event: event.t), truncated=truncated)

    def add(self, *events: Event) -> Past:
        """Add events as they are."""
        self.events.extend(events)
        return self

    # ---------------------------------------------------------------- clients

    def op(self, t: float, call: str, outcome: Outcome = "ok", **rest: Any) -> Past:
        """One operation, planned and sent 2 ms before ``t`` unless told otherwise."""
        planned = rest.pop("planned", rest.get("sent", t - 0.002))
        rest = {"sent": planned, "client": "client", **rest}
        return self.add(Op(t=t, call=call, outcome=outcome, planned=planned, **rest))

    def submit(self, t: float, *tasks: str, outcome: Outcome = "ok", client: str = "client") -> Past:
        """Submissions, acknowledged unless the outcome says otherwise."""
        for task in tasks:
            known = task if outcome == "ok" else None
            self.op(t, "submit", outcome, key=f"key-{task}", task=known, client=client)
        return self

    def ready(self, begin: float, end: float, ok: bool = True, *, every: float = 0.02, **rest: Any) -> Past:
        """Looks of the availability probe from ``begin`` up to ``end``, each answered in 2 ms."""
        status = 200 if ok else 503
        for number in range(round((end - begin) / every)):
            sent = round(begin + number * every, 6)
            facts = {"outcome": "ok" if ok else "fail", "status": status, "planned": sent, **rest}
            self.op(round(sent + 0.002, 6), "ready", **facts)
        return self

    def api(self, begin: float, end: float, ok: bool = True, *, every: float = 0.05, **rest: Any) -> Past:
        """Calls of the API load, each answered in 2 ms unless ``takes`` says otherwise."""
        takes = rest.pop("takes", 0.002)
        call = rest.pop("call", "api:list")
        for number in range(round((end - begin) / every)):
            sent = round(begin + number * every, 6)
            facts = {"outcome": "ok" if ok else "fail", "status": 200 if ok else 500, "planned": sent, **rest}
            self.op(round(sent + takes, 6), call, **facts)
        return self

    # ---------------------------------------------------------------- the outside service

    def becomes(self, t: float, mode: DependencyMode) -> Past:
        """The outside service behaves differently from now on."""
        return self.add(DependencyChanged(t=t, mode=mode))

    def calls(self, t: float, key: str, mode: DependencyMode = "ok", **rest: Any) -> Past:
        """A call that reaches the outside service; its status is what the mode makes of it."""
        status = {"ok": 200, "slow": 200, "fail": 500}.get(mode)
        return self.add(Called(t=t, key=key, mode=mode, **{"status": status, **rest}))

    # ---------------------------------------------------------------- workers

    def says(self, t: float, worker: str, event: Announcement, task: str, attempt: int = 1) -> Past:
        """One announcement."""
        return self.add(Witnessed(t=t, task=task, event=event, attempt=attempt, worker=worker))

    def starts(self, t: float, worker: str, task: str, attempt: int = 1) -> Past:
        """A run that begins, and of which nothing more is heard unless told."""
        return self.says(t, worker, "started", task, attempt)

    def runs(self, begin: float, end: float, worker: str, task: str, attempt: int = 1) -> Past:
        """A run from start to finish, recorded 5 ms later."""
        self.starts(begin, worker, task, attempt)
        self.says(end, worker, "finished", task, attempt)
        return self.says(round(end + 0.005, 6), worker, "recorded", task, attempt)

    # ---------------------------------------------------------------- instances and strikes

    def instance(self, t: float, name: str, state: InstanceState, **rest: Any) -> Past:
        """A change of an instance, of the service that its name begins with."""
        service = rest.pop("service", name.rpartition("-")[0] or name)
        return self.add(InstanceChanged(t=t, instance=name, service=service, state=state, **rest))

    def up(self, t: float, name: str) -> Past:
        """An instance that is spawned and ready at once."""
        return self.instance(t, name, "starting").instance(t, name, "ready")

    def exits(self, t: float, name: str, back: float | None = None, code: int = -9) -> Past:
        """A process that dies, and the next one that is spawned 10 ms later and ready at ``back``."""
        self.instance(t, name, "exited", code=code)
        if back is not None:
            self.instance(round(t + 0.01, 6), name, "starting").instance(back, name, "ready")
        return self

    def strike(self, fault: str, victim: str, id: str = "s1", **stages: float | str) -> Past:
        """A strike by its stages (``begin=1.0, landed=1.01``); ``detail`` belongs to all of them."""
        detail = str(stages.pop("detail", ""))
        victims = tuple(name for name in victim.split(",") if name)
        for stage, t in stages.items():
            name: StrikeStage = stage  # type: ignore[assignment]
            self.add(Struck(t=float(t), strike=id, stage=name, fault=fault, victims=victims, detail=detail))
        return self

    def kill(self, t: float, name: str, back: float, id: str = "s1", fault: str = "kill") -> Past:
        """A process killed at ``t``, seen gone 10 ms later, and ready again at ``back``."""
        seen = round(t + 0.01, 6)
        self.exits(seen, name, back)
        return self.strike(fault, name, id, begin=t, landed=seen, healing=seen, healed=back)

    def pause(self, begin: float, end: float, name: str, id: str = "s1") -> Past:
        """An instance that is frozen for a while."""
        return self.strike("pause", name, id, begin=begin, landed=begin, healing=end, healed=end)

    # ---------------------------------------------------------------- the service, the run

    def reported(self, t: float, status: str = "completed", *tasks: str) -> Past:
        """The service's last word on tasks."""
        dead = status == "failed"
        return self.add(*(Reported(t=t, task=task, status=status, dead_lettered=dead) for task in tasks))

    def stored(self, t: float, *tasks: str, content: dict[str, str] | None = None) -> Past:
        """The rows of tasks, read beside the service; no content: there is no row."""
        return self.add(*(Stored(t=t, task=task, content=content) for task in tasks))

    def sample(self, t: float, probe: str, **values: Any) -> Past:
        """A look that took 2 ms unless ``began`` says otherwise."""
        facts = {name: values.pop(name) for name in ("began", "error", "subject") if name in values}
        return self.add(Sample(t=t, probe=probe, values=values, **{"began": t - 0.002, **facts}))

    def stats(self, t: float, **counts: int) -> Past:
        """A look at the counts; what is not named is 0, ``created`` and ``dead_letter`` follow the others."""
        states = dict.fromkeys(("pending", "running", "completed", "failed", "cancelled"), 0)
        states |= {name: count for name, count in counts.items() if name in states}
        whole = {"created": sum(states.values()), "dead_letter": states["failed"]}
        return self.sample(t, "stats", **(whole | states | counts))

    def database(self, begin: float, end: float, up: bool, *, every: float = 0.1) -> Past:
        """Independent looks at the database."""
        for number in range(round((end - begin) / every)):
            self.sample(round(begin + number * every, 6), "database", up=up)
        return self

    def phase(self, name: str, begin: float, end: float | None = None) -> Past:
        """A phase, still going on when it has no end."""
        self.add(PhaseChanged(t=begin, phase=name, what="begin"))
        return self if end is None else self.add(PhaseChanged(t=end, phase=name, what="end"))

    def began(self) -> Past:
        """The run's first line."""
        return self.add(RunBegan(t=0.0, run="run", scenario="test", level=1, seed=1, wall=0.0))

    def ends(self, t: float, how: Any = "completed", detail: str = "") -> Past:
        """The run's last line."""
        return self.add(RunEnded(t=t, how=how, detail=detail))


def experiment(*checkers: str, **args: dict[str, Any]) -> Experiment:
    """Return an experiment that claims what is named, with the arguments given for it."""
    specs = tuple(Spec(name=name, args=args.get(name, {})) for name in checkers)
    return Experiment(
        scenario="test", purpose="a test", level=level(1), seed=1, replicas={}, phases=(), checkers=specs
    )
