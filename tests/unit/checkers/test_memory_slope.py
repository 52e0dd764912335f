"""memory: processes do not grow as long as they are used."""

from __future__ import annotations

import random
from collections.abc import Callable

from capsize.checkers.memory import MIB, Memory
from capsize.core.events import Sample
from capsize.core.verdict import Verdict
from support.histories import Past

CHECK = Memory(budget_bytes_per_s=100 * 1024)


def sized(size: Callable[[float], float], name: str = "api-1", until: float = 20.0) -> Past:
    """Return a past in which an instance's private memory follows a function of time, looked at twice a second."""
    past = Past(name).phase("chaos", 0.0, until)
    for number in range(round(until * 2)):
        t = number / 2
        values = {"private_bytes": int(size(t)), "rss_bytes": int(1e9 * t)}
        past.add(Sample(t=t + 0.002, probe="resources", began=t, subject=name, values=values))
    return past


def test_a_leak_fails_with_its_rate() -> None:
    """One MiB per second."""
    result = CHECK.check(sized(lambda t: 40 * MIB + t * MIB).history())
    assert result.verdict is Verdict.FAIL
    assert result.findings[0].message.startswith("api-1 grew by +1024 KiB/s")
    assert result.measures["api-1_slope_bytes_per_s"] == MIB


def test_a_stable_process_passes() -> None:
    """Noise of a MiB and no slope."""
    draw = random.Random(3)
    result = CHECK.check(sized(lambda t: 40 * MIB + draw.uniform(0, MIB)).history())
    assert result.verdict is Verdict.PASS


def test_warming_up_is_no_leak() -> None:
    """Twenty MiB in the first three seconds, then nothing."""
    assert CHECK.check(sized(lambda t: 40 * MIB + min(t, 3.0) * 7 * MIB).history()).verdict is Verdict.PASS


def test_a_step_is_no_slope() -> None:
    """The allocator took another arena in the middle."""
    assert CHECK.check(sized(lambda t: (40 if t < 12 else 44) * MIB).history()).verdict is Verdict.PASS


def test_a_slope_that_makes_next_to_nothing_is_no_leak() -> None:
    """Above the budget, and 1.7 MiB over all that was seen."""
    result = CHECK.check(sized(lambda t: 40 * MIB + t * 110 * 1024).history())
    assert result.verdict is Verdict.PASS


def test_a_database_is_measured_and_not_judged() -> None:
    """Its caches fill."""
    past = sized(lambda t: 40 * MIB).add(*sized(lambda t: t * MIB, "postgres-1").events)
    result = CHECK.check(past.history())
    assert result.verdict is Verdict.PASS
    assert result.measures["postgres-1_slope_bytes_per_s"] == MIB


def test_a_restarted_process_is_a_new_one() -> None:
    """It grows while it warms up, each time anew; the two together are no slope."""
    past = sized(lambda t: 40 * MIB + (t if t < 10 else t - 10) * MIB, until=20.0).kill(
        10.0, "api-1", back=10.4
    )
    result = Memory(budget_bytes_per_s=100 * 1024, warm_s=6.0, samples_min=6).check(past.history())
    assert set(result.measures) >= {"api-1_slope_bytes_per_s", "api-1 (2)_slope_bytes_per_s"}


def test_few_looks_are_unknown() -> None:
    """Two seconds beyond the warm-up; and no look at all."""
    assert CHECK.check(sized(lambda t: t * MIB, until=5.0).history()).verdict is Verdict.UNKNOWN
    assert CHECK.check(Past("api-1").phase("chaos", 0.0, 9.0).history()).verdict is Verdict.UNKNOWN
