"""Whether a plan can be passed at all: what a perfect service would complete under it.

At level 6 the strikes come so thick that chance alone decides whether a fifth of the tasks gets done: about
one plan in fourteen leaves even a perfect service below the criterion. Such a plan can't tell a good service
from a bad one, so the scenario draws again; the criterion stays as it is.
"""

from __future__ import annotations

import heapq
from collections.abc import Sequence
from dataclasses import dataclass, field

from capsize.core.experiment import PlannedStrike
from capsize.core.levels import Level


@dataclass
class _Workers:
    """One-task-at-a-time workers; a worker is inside a task until ``ends``, or idle from ``ends`` on."""

    ends: list[float]
    inside: list[bool] = field(default_factory=list)

    def __post_init__(self) -> None:
        self.inside = [False] * len(self.ends)


def ideal_completion(
    level: Level, strikes: Sequence[PlannedStrike], *, restart_s: float, redelivery_s: float
) -> float:
    """Return the share of the level's tasks that a perfect service completes within the deadline.

    It hands tasks out at once, brings a killed worker back after ``restart_s`` and its task after
    ``redelivery_s``. Each strike kills one busy worker.
    """
    queue = [0.0] * level.tasks
    workers = _Workers(ends=[0.0] * level.workers)
    done = 0
    for moment, pick in [*((s.at_s, s.target.pick) for s in strikes), (level.deadline_s, -1.0)]:
        until = min(moment, level.deadline_s)
        done += _work(workers, queue, until, level.task_delay_s)
        if pick < 0 or moment >= level.deadline_s:
            break
        busy = [index for index, inside in enumerate(workers.inside) if inside]
        if busy:
            victim = busy[int(pick * len(busy))]
            workers.inside[victim] = False
            workers.ends[victim] = until + restart_s
            heapq.heappush(queue, until + redelivery_s)
    return done / level.tasks


def _work(workers: _Workers, queue: list[float], until: float, delay_s: float) -> int:
    """Let the workers go on until a moment; returns how many tasks they finished."""
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
