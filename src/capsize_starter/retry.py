"""Whether and when a failed task is tried again: a pure decision."""

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Again:
    """Try again after so many seconds."""

    delay_s: float


@dataclass(frozen=True, slots=True)
class GiveUp:
    """No further attempt; the task goes to the dead-letter queue."""


@dataclass(frozen=True, slots=True)
class RetryPolicy:
    """Exponential backoff: `base_s` after the first failure, doubled after each further one, up to `max_s`."""

    base_s: float = 1.0
    max_s: float = 300.0

    def decide(
        self, *, failed_attempts: int, max_attempts: int, permanent: bool, jitter: float
    ) -> Again | GiveUp:
        """Decide after a failure.

        `failed_attempts` counts this failure too. `jitter`, 0 to 1, is a random number: the delay lies between
        half and all of the backoff, so that tasks which failed together don't come back together.
        """
        if permanent or failed_attempts >= max_attempts:
            return GiveUp()
        # The exponent is held down because a float overflows beyond 2**1023.
        backoff_s = min(self.max_s, self.base_s * 2.0 ** min(failed_attempts - 1, 64))
        return Again(backoff_s * (0.5 + 0.5 * jitter))
