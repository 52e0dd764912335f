"""When a failed task is tried again."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from capsize_starter.retry import Again, GiveUp, RetryPolicy

POLICY = RetryPolicy(base_s=1.0, max_s=60.0)


@pytest.mark.parametrize(
    ("failed", "delay_s"), [(1, 1.0), (2, 2.0), (3, 4.0), (6, 32.0), (7, 60.0), (5000, 60.0)]
)
def test_the_delay_doubles_up_to_a_limit(failed: int, delay_s: float) -> None:
    """1, 2, 4 seconds and so on, never above the limit, and no overflow after thousands of failures."""
    assert POLICY.decide(failed_attempts=failed, max_attempts=9999, permanent=False, jitter=1.0) == Again(
        delay_s
    )


def test_the_last_attempt_is_the_last() -> None:
    """With three attempts the third failure is final, and so is a permanent one at once."""
    decide = POLICY.decide
    assert isinstance(decide(failed_attempts=2, max_attempts=3, permanent=False, jitter=0.5), Again)
    assert decide(failed_attempts=3, max_attempts=3, permanent=False, jitter=0.5) == GiveUp()
    assert decide(failed_attempts=1, max_attempts=3, permanent=True, jitter=0.5) == GiveUp()


@given(failed=st.integers(1, 100), jitter=st.floats(0, 1))
def test_jitter_keeps_between_half_and_all(failed: int, jitter: float) -> None:
    """Whatever the random number, the delay lies between half and all of the backoff."""
    full = POLICY.decide(failed_attempts=failed, max_attempts=101, permanent=False, jitter=1.0)
    some = POLICY.decide(failed_attempts=failed, max_attempts=101, permanent=False, jitter=jitter)
    assert isinstance(full, Again)
    assert isinstance(some, Again)
    assert full.delay_s / 2 <= some.delay_s <= full.delay_s
