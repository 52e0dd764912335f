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
