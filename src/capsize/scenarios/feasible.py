"""Whether a plan can be passed at all: what a perfect service would complete under it.

At level 6 the strikes come so thick that chance alone decides whether a fifth of the tasks gets done: about
one plan in fourteen leaves even a perfect service below the criterion. Such a plan can't tell a good service
from a bad one, so the scenario draws again; the criterion stays as it is.
"""

from __future__ import annotations

import heapq
from collections.abc import Sequence
from dataclasses import dataclass

from capsize.core.experiment import PlannedStrike
from capsize.core.levels import Level


@dataclass
class _Service:
    """Workers with one task at a time, and the tasks that wait, by the moment at which they are free.

    Worker ``n`` is inside a task until ``ends[n]``, or idle from then on; ``inside`` tells which.
    """

    ends: list[float]
    inside: list[bool]
    queue: list[float]
    restart_s: float
    redelivery_s: float

    def suffer(self, strike: PlannedStrike, now: float) -> None:
        """Take a strike on busy workers."""
        busy = [number for number, inside in enumerate(self.inside) if inside]
        if not busy:
            return
        victims = busy if strike.target.count == 0 else [busy[int(strike.target.pick * len(busy))]]
        for victim in victims:
            if strike.fault.name == "terminate":
                # It finishes what it has, and is away only afterwards.
                self.ends[victim] += self.restart_s
                continue
            away_s = self.restart_s if strike.for_s is None else strike.for_s
            self.inside[victim] = False
            self.ends[victim] = now + away_s
            heapq.heappush(self.queue, now + self.redelivery_s)


def ideal_completion(
    level: Level, strikes: Sequence[PlannedStrike], *, restart_s: float, redelivery_s: float
) -> float:
    """Return the share of the level's tasks that a perfect service completes within the deadline.

    It hands tasks out at once, brings a killed worker back after ``restart_s``, a frozen one when it is let
    go on, and the task of either after ``redelivery_s``.
    """
    service = _Service(
        ends=[0.0] * level.workers,
        inside=[False] * level.workers,
        queue=[0.0] * level.tasks,
        restart_s=restart_s,
        redelivery_s=redelivery_s,
    )
    done = 0
    for strike in strikes:
        if strike.at_s >= level.deadline_s:
            break
        done += _work(service, strike.at_s, level.task_delay_s)
        service.suffer(strike, strike.at_s)
    return (done + _work(service, level.deadline_s, level.task_delay_s)) / level.tasks


def _work(workers: _Service, until: float, delay_s: float) -> int:
    """Let the workers go on until a moment; returns how many tasks they finished."""
    queue = workers.queue
    done = 0
    while True:
        index = min(range(len(workers.ends)), key=workers.ends.__getitem__)
        now = workers.ends[index]
        if workers.inside[index]:
            if now > until:
                return done
            workers.inside[index] = False
            done += 1
            continue
        start = max(now, queue[0]) if queue else until + 1
        if start > until:
            # Nothing to do yet: idle workers stand at the end of the span, and the next call goes on there.
            workers.ends[index] = max(now, until)
            if all(end >= until for end in workers.ends):
                return done
            continue
        heapq.heappop(queue)
        workers.inside[index] = True
        workers.ends[index] = start + delay_s
