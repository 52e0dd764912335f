"""The six difficulty levels, as data; documentation and ``capsize list levels`` are made from this table."""

from __future__ import annotations

import msgspec

from capsize.core.errors import UsageError


class Level(msgspec.Struct, frozen=True, kw_only=True):
    """The figures of one difficulty level.

    Durations are seconds and already scaled by ``time_scale``; rates are fractions of one.
    ``interval_s`` bounds the time between two strikes. ``completion_max`` is below one only where the
    workload is impossible by design.
    """

    number: int
    name: str
    purpose: str
    workers: int
    tasks: int
    task_delay_s: float
    deadline_s: float
    interval_s: tuple[float, float]
    completion_min: float
    completion_max: float = 1.0
    deadline_binds: bool = True
    api_success_min: float
    time_scale: float = 1.0

    def scaled(self, seconds: float) -> float:
        """Return a duration of the scenario in this run's time."""
        return seconds * self.time_scale

    @property
    def work_per_worker_s(self) -> float:
        """Return the seconds of work that each worker has, when a worker runs one task at a time."""
        return self.tasks * self.task_delay_s / self.workers


LEVELS: dict[int, Level] = {
    level.number: level
    for level in (
        Level(
            number=1,
            name="Basic Resilience",
            purpose="The service works and survives a single failure",
            workers=2,
            tasks=10,
            task_delay_s=2.0,
            deadline_s=30.0,
            interval_s=(20.0, 30.0),
            completion_min=0.90,
            api_success_min=0.95,
        ),
        Level(
            number=2,
            name="Light Disruption",
            purpose="A few controlled failures",
            workers=2,
            tasks=15,
            task_delay_s=3.0,
            deadline_s=45.0,
            interval_s=(15.0, 25.0),
            completion_min=0.85,
            api_success_min=0.95,
        ),
        Level(
            number=3,
            name="Load Testing",
            purpose="More tasks, regular failures",
            workers=3,
            tasks=25,
            task_delay_s=3.0,
            deadline_s=60.0,
            interval_s=(10.0, 15.0),
            completion_min=0.80,
            api_success_min=0.85,
        ),
        Level(
            number=4,
            name="Resource Pressure",
            purpose="A demanding workload under frequent failures",
            workers=3,
            tasks=35,
            task_delay_s=4.0,
            deadline_s=90.0,
            interval_s=(5.0, 10.0),
            completion_min=0.75,
            api_success_min=0.85,
        ),
        Level(
            number=5,
            name="Extreme Chaos",
            purpose="Continuous failures under high load",
            workers=4,
            tasks=30,
            task_delay_s=5.0,
            deadline_s=80.0,
            interval_s=(3.0, 7.0),
            completion_min=0.60,
            deadline_binds=False,
            api_success_min=0.80,
        ),
        Level(
            number=6,
            name="Catastrophic Load",
            purpose="Twice the work that the deadline allows: partial completion, nothing lost",
            workers=2,
            tasks=40,
            task_delay_s=6.0,
            deadline_s=60.0,
            interval_s=(2.0, 5.0),
            completion_min=0.20,
            completion_max=0.50,
            deadline_binds=False,
            api_success_min=0.70,
        ),
    )
}


def level(number: int, *, time_scale: float = 1.0, **overrides: object) -> Level:
    """Return a level's figures, with some replaced and every duration scaled.

    Overrides are given in unscaled time, under the names of :class:`Level`'s fields. Raises
    :class:`UsageError` for a level that does not exist and for figures that no run could have.
    """
    if number not in LEVELS:
        raise UsageError(f"there is no difficulty level {number}; choose one from 1 to {len(LEVELS)}")
    chosen = msgspec.structs.replace(LEVELS[number], **overrides)
    _check(chosen, time_scale)
    return msgspec.structs.replace(
        chosen,
        task_delay_s=chosen.task_delay_s * time_scale,
        deadline_s=chosen.deadline_s * time_scale,
        interval_s=(chosen.interval_s[0] * time_scale, chosen.interval_s[1] * time_scale),
        time_scale=time_scale,
    )


def _check(chosen: Level, time_scale: float) -> None:
    low, high = chosen.interval_s
    for bad, message in (
        (chosen.workers < 1, f"--workers is {chosen.workers}; at least 1 is needed"),
        (chosen.tasks < 1, f"--tasks is {chosen.tasks}; at least 1 is needed"),
        (chosen.task_delay_s < 0, f"--task-delay is {chosen.task_delay_s}; it can't be negative"),
        (chosen.deadline_s <= 0, f"--deadline is {chosen.deadline_s}; it must be above 0"),
        (
            not 0 < low <= high,
            f"--chaos-interval is {low}-{high}; give MIN-MAX with 0 < MIN <= MAX",
        ),
        (
            not 0 < time_scale <= 10,
            f"--time-scale is {time_scale}; give a number above 0, at most 10",
        ),
    ):
        if bad:
            raise UsageError(message)
