"""The live view on a real terminal: what a person sees, and what ``q`` does."""

from __future__ import annotations

import fcntl
import os
import pty
import select
import struct
import subprocess
import sys
import termios
import time
from pathlib import Path

import pytest

from capsize.rundir import RunDirectory

LIMIT_S = 110.0


@pytest.mark.timeout(150)
def test_q_heals_stops_and_gives_the_terminal_back(tmp_path: Path) -> None:
    """The view opens over the whole terminal, q interrupts in order, and the shell finds its terminal as it was."""
    master, slave = pty.openpty()
    fcntl.ioctl(slave, termios.TIOCSWINSZ, struct.pack("HHHH", 40, 120, 0, 0))
    before = termios.tcgetattr(slave)
    command = [
        sys.executable,
        "-m",
        "capsize",
        "run",
        "--live",
        "--scenarios",
        "worker-restart",
        "--platform",
        "local",
    ]
    env = {
        name: value for name, value in os.environ.items() if name not in ("CI", "VERBOSE", "PORT", "BASE_URL")
    }
    with subprocess.Popen(
        [*command, "--output", str(tmp_path), "--seed", "7"],
        stdin=slave,
        stdout=slave,
        stderr=slave,
        env=env | {"TERM": "xterm-256color"},
        preexec_fn=_take_terminal,
    ) as process:
        try:
            seen = _until(master, b"worker-2")
            os.write(master, b"q")
            seen += _until(master, b"Chaos Testing Results")
            assert process.wait(LIMIT_S) == 130
        finally:
            process.terminate()
    assert b"\x1b[?1049h" in seen
    assert b"\x1b[?1049l" in seen
    assert b"timeline" in seen
    assert termios.tcgetattr(slave)[3] == before[3]
    (run,) = tmp_path.glob("*/experiment.json")
    ended = RunDirectory.open(run.parent).history().ended
    assert ended is not None
    assert ended.how == "interrupted"
    os.close(master)
    os.close(slave)


def _take_terminal() -> None:
    os.setsid()
    fcntl.ioctl(0, termios.TIOCSCTTY, 0)


def _until(master: int, words: bytes) -> bytes:
    """Read what is written to the terminal until the words come."""
    seen, end = b"", time.monotonic() + LIMIT_S
    while words not in seen:
        assert time.monotonic() < end, seen[-2000:]
        if select.select([master], [], [], 1.0)[0]:
            seen += os.read(master, 65536)
    return seen
