"""A model of a service that keeps its promises, and the histories that it leaves under faults.

Time goes in steps of 5 ms. Workers claim with leases, renew them, check them before the effect, give up what
they lost, and commit after the effect; processes are killed, asked to stop and frozen, the database is
stopped and its connections are cut. What is random is only what the world may do: when messages arrive, how
long commits and restarts take, whether a confirmation is lost.
"""

from __future__ import annotations

import random
from dataclasses import dataclass, field

from support.histories import Past

STEP_S = 0.005
LEASE_S = 1.0
GRACE_S = 1.0
IDLE_S = 4.5
"""So long the model stands still at the end, so that a task left behind would be noticed."""


@dataclass(frozen=True)
class Blow:
    """One fault: ``kill``, ``terminate`` or ``pause`` of a worker, ``stop`` or ``cut`` of the database."""

    at: float
    kind: str
    worker: int = 0
    hold_s: float = 0.5


@dataclass
class Task:
    """A row of the queue."""

    id: str
    seconds: float
    submit_at: float
    cancel_at: float | None = None
    fails: int = 0
    status: str = "absent"
    attempt: int = 0
    owner: object = None
    lease_until: float = 0.0
    not_before: float = 0.0


@dataclass
class Work:
    """A run as its worker knows it: what it does now, and until when."""

    task: Task
    attempt: int
    lease_until: float
    state: str = "starting"
    until: float = 0.0


@dataclass
class Worker:
    """A process; ``serial`` tells one from the next of the same name."""

    name: str
    up_at: float = 0.0
    alive: bool = True
    frozen_until: float = -1.0
    reconnected_at: float = 0.0
    leaving: float | None = None
    work: Work | None = None


@dataclass
class Model:
    """Plays the service and its faults, and writes the history down as capsize would."""

    tasks: list[Task]
    workers: int
    blows: list[Blow]
    seed: int
    past: Past = field(default_factory=Past)
    now: float = 0.0
    database_back: float = -1.0

    def play(self, limit_s: float = 120.0) -> Past:
        """Run until all is over and was quiet for a while, audit, and return the history so far."""
        self.draw = random.Random(self.seed)
        self.crew = [Worker(f"worker-{number + 1}") for number in range(self.workers)]
        for worker in self.crew:
            self.past.up(0.0, worker.name)
        self.past.up(0.0, "postgres-1").began()
        blows = sorted(self.blows, key=lambda blow: blow.at)
        looks, quiet, number = 0.0, 0.0, 0
        while quiet < IDLE_S and self.now < limit_s:
            self.now = round(self.now + STEP_S, 6)
            while blows and blows[0].at <= self.now:
                number += 1
                self.strike(blows.pop(0), f"s{number}")
            self.clients()
            for worker in self.crew:
                self.step(worker)
            if self.now >= looks:
                looks += 0.5
                self.count()
            over = all(task.status in ("completed", "failed", "cancelled") for task in self.tasks)
            calm = all(worker.alive and worker.up_at <= self.now for worker in self.crew)
            quiet = quiet + STEP_S if over and calm and not blows and self.database else 0.0
        self.past.phase("chaos", 0.0, self.now)
        for task in self.tasks:
            self.past.reported(self.now + 0.1, task.status, task.id)
        self.past.ends(self.now + 0.5)
        return self.past

    @property
    def database(self) -> bool:
        """Whether the database is there."""
        return self.now >= self.database_back

    def wait(self, longest: float) -> float:
        """Return a moment a little later."""
        return round(self.now + self.draw.uniform(0.0, longest), 6)

    # ---------------------------------------------------------------- faults

    def strike(self, blow: Blow, name: str) -> None:
        """Do one fault and write its stages down."""
        if blow.kind in ("stop", "cut"):
            self.hit_database(blow, name)
            return
        worker = self.crew[blow.worker % len(self.crew)]
        if not worker.alive or worker.up_at > self.now or worker.leaving is not None:
            self.past.strike(blow.kind, worker.name, name, missed=self.now)
        elif blow.kind == "kill":
            self.die(worker, self.now, -9)
            seen, back = self.gone_at, worker.up_at
            self.past.strike(
                "kill", worker.name, name, begin=self.now, landed=seen, healing=seen, healed=back
            )
        elif blow.kind == "terminate":
            worker.leaving = self.now + GRACE_S
            seen = worker.leaving + 0.1
            self.past.strike(
                "terminate", worker.name, name, begin=self.now, landed=seen, healing=seen, healed=seen
            )
        else:
            until = round(self.now + blow.hold_s, 6)
            worker.frozen_until = max(worker.frozen_until, until)
            self.past.pause(self.now, until, worker.name, name)

    def hit_database(self, blow: Blow, name: str) -> None:
        """Stop the database for a while, or only cut its connections."""
        hold = blow.hold_s if blow.kind == "stop" else 0.0
        back = round(self.now + hold, 6)
        self.database_back = max(self.database_back, back)
        for worker in self.crew:
            worker.reconnected_at = max(worker.reconnected_at, back + self.draw.uniform(0.0, 0.3))
            work = worker.work
            if work is not None and work.state == "committing" and self.draw.random() < 0.5:
                # The commit was on its way: it took effect, and its confirmation is lost.
                self.complete(worker, work)
        fault = "stop" if blow.kind == "stop" else "terminate_connections"
        self.past.strike(
            fault, "postgres-1", name, begin=self.now, landed=self.now, healing=back, healed=back
        )

    def die(self, worker: Worker, t: float, code: int) -> None:
        """End a process; it is seen gone some milliseconds later, and the next one comes up."""
        worker.alive, worker.work, worker.leaving = False, None, None
        worker.frozen_until = -1.0
        self.gone_at = round(t + self.draw.uniform(0.0, 0.03), 6)
        spawned = round(self.gone_at + self.draw.uniform(0.0, 0.1), 6)
        worker.up_at = round(spawned + self.draw.uniform(0.15, 0.5), 6)
        self.past.instance(self.gone_at, worker.name, "exited", code=code)
        self.past.instance(spawned, worker.name, "starting")
        self.past.instance(round(worker.up_at + 0.05, 6), worker.name, "ready")

    # ---------------------------------------------------------------- clients

    def clients(self) -> None:
        """Submit and cancel what is due. A submission whose answer is lost is repeated with its key."""
        for task in self.tasks:
            if task.status == "absent" and task.submit_at <= self.now and self.database:
                task.status = "pending"
                if self.draw.random() < 0.3:
                    self.past.submit(self.now, task.id, outcome="info")
                self.past.op(self.now + 0.02, "submit", sent=self.now, key=f"key-{task.id}", task=task.id)
            elif self.to_cancel(task):
                task.status, task.owner, task.cancel_at = "cancelled", None, None
                self.past.op(self.now, "cancel", task=task.id)

    def to_cancel(self, task: Task) -> bool:
        """Whether a task is to be cancelled now, and can be."""
        due = task.cancel_at is not None and task.cancel_at <= self.now
        return due and self.database and task.status in ("pending", "running")

    def count(self) -> None:
        """Look at the counts."""
        if self.database:
            states = [task.status for task in self.tasks if task.status != "absent"]
            self.past.stats(self.now, **{state: states.count(state) for state in set(states)})

    # ---------------------------------------------------------------- workers

    def say(self, worker: Worker, event: str, work: Work) -> float:
        """Announce something and return when it was delivered; the worker waits until then."""
        stamped = self.wait(0.01)
        self.past.says(stamped, worker.name, event, work.task.id, work.attempt)  # type: ignore[arg-type]
        return stamped

    def step(self, worker: Worker) -> None:
        """Let a worker go on, if it can."""
        if not worker.alive:
            worker.alive = self.now >= worker.up_at
            return
        if self.now < worker.frozen_until:
            return
        if worker.work is None:
            if worker.leaving is not None:
                self.die(worker, self.now, 0)
            elif self.connected(worker):
                self.claim(worker)
            return
        self.go_on(worker, worker.work)

    def connected(self, worker: Worker) -> bool:
        """Whether a worker reaches the database."""
        return self.database and self.now >= worker.reconnected_at

    def claim(self, worker: Worker) -> None:
        """Take the first task that is free: pending and due, or left behind by a lease that is over."""
        for task in self.tasks:
            free = task.status == "pending" and task.not_before <= self.now
            left = task.status == "running" and task.lease_until < self.now
            if free or left:
                task.attempt += 1
                lease = self.now + LEASE_S
                work = Work(task, task.attempt, lease)
                task.status, task.owner, task.lease_until = "running", work, lease
                worker.work = work
                work.until = self.say(worker, "started", work)
                return

    def go_on(self, worker: Worker, work: Work) -> None:
        """Renew the lease, or give up what was lost, and take the next step of the run."""
        if work.state in ("starting", "finishing", "ending") and self.now < work.until:
            return
        if work.state == "ending":
            worker.work = None
            return
        if self.connected(worker):
            if work.task.owner is not work:
                self.leave(worker, work, "abandoned")
                return
            work.lease_until = work.task.lease_until = self.now + LEASE_S
        elif self.now > work.lease_until:
            self.leave(worker, work, "abandoned")
            return
        if worker.leaving is not None and self.now >= worker.leaving and self.connected(worker):
            work.task.status, work.task.owner = "pending", None
            self.leave(worker, work, "abandoned")
            return
        self.advance(worker, work)

    def advance(self, worker: Worker, work: Work) -> None:
        """Go from the start to the work, to its end, to the commit and to its announcement."""
        if work.state == "starting":
            work.state, work.until = "working", self.now + work.task.seconds
        elif work.state == "working" and self.now >= work.until:
            if work.task.fails >= work.attempt:
                self.fail(worker, work)
                return
            work.state, work.until = "finishing", self.say(worker, "finished", work)
        elif work.state == "finishing":
            work.state, work.until = "committing", self.wait(0.02)
        elif work.state == "committing" and self.now >= work.until and self.connected(worker):
            self.complete(worker, work)
            self.leave(worker, work, "recorded")

    def complete(self, worker: Worker, work: Work) -> None:
        """Commit the result, if the lease is still this run's."""
        if work.task.owner is work:
            work.task.status, work.task.owner = "completed", None

    def fail(self, worker: Worker, work: Work) -> None:
        """Announce a failed attempt; the third one is final."""
        if self.connected(worker):
            final = work.attempt >= 3
            work.task.status = "failed" if final else "pending"
            work.task.owner, work.task.not_before = None, self.now + 0.3
            self.leave(worker, work, "failed")

    def leave(self, worker: Worker, work: Work, event: str) -> None:
        """Announce the end of a run."""
        work.state, work.until = "ending", self.say(worker, event, work)
