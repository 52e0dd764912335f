"""Uses one core for a while: run as a script, ``busy.py SECONDS``."""

from __future__ import annotations

import sys
import time


def main(seconds: str) -> None:
    """Be busy, and no longer than that, whatever becomes of whoever started it."""
    until = time.monotonic() + float(seconds)
    while time.monotonic() < until:
        sum(range(100_000))


if __name__ == "__main__":
    main(*sys.argv[1:])
