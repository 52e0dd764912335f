"""Seeded draws: one seed, a named stream for each purpose."""

from __future__ import annotations

import hashlib
import random


def stream(seed: int, *purpose: str | int) -> random.Random:
    """Return the random stream of one purpose.

    Streams are independent by name, so that a draw added for one purpose leaves every other purpose's
    draws, and so the plans of old seeds, as they were.
    """
    name = "/".join(str(part) for part in (seed, *purpose))
    return random.Random(int.from_bytes(hashlib.sha256(name.encode()).digest()[:16], "big"))


def fraction(draw: random.Random) -> float:
    """Return a number in [0, 1) with six digits, short in a plan and never rounded up to one."""
    return draw.randrange(1_000_000) / 1_000_000
