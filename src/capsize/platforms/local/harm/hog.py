"""Takes memory, a MiB at a time, and holds it: run as a script, ``hog.py MIB SECONDS``."""

from __future__ import annotations

import sys
import time

STEP = 1 << 20
PAGE = 4096


def main(mib: str, seconds: str) -> None:
    """Take so much, wait, and end."""
    until = time.monotonic() + float(seconds)
    held = []
    for _ in range(int(mib)):
        block = bytearray(STEP)
        for page in range(0, STEP, PAGE):
            block[page] = 1
        held.append(block)
    while time.monotonic() < until:
        time.sleep(0.1)


if __name__ == "__main__":
    main(*sys.argv[1:])
