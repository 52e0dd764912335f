"""Starts runs, kills each at a drawn moment, and compares the machine with what it was before."""

from __future__ import annotations

import os
import random
import re
import signal
import subprocess
import sys
import time
from contextlib import suppress
from pathlib import Path
from typing import Literal

import msgspec
import psutil

from capsize.core.experiment import Experiment
from capsize.rundir import RunDirectory
from quality.kills.inventory import inventory

CAPSIZE = Path(sys.executable).with_name("capsize")
CLEAN_LIMIT_S = 15.0
STAYS_S = 4.0
"""Nobody is there to heal: what is left after this stays."""
LOOK_S = 0.02
EARLY, EARLIEST_S, EARLY_S = 0.3, 0.1, 3.0
CHAOS_S = 2.5
CHAOS_LIMIT_S = 90.0
STACK = re.compile(r"capsize-[0-9a-f]{12}")

Mode = Literal["process", "group", "guardian too"]


class Kill(msgspec.Struct, frozen=True, kw_only=True):
    """One kill: in which run and when, what was there then, and what was left.

    ``healed_s`` is when the guardian had ended, None when there was none yet or it did not end; ``clean_s`` when a
    look found nothing left, None when none did. A look takes its time: it is the later one.
    """

    fault: str
    mode: Mode
    at_s: float
    during: int
    struck: bool
    healed_s: float | None
    clean_s: float | None
    left: tuple[str, ...]


class NotUnderWay(Exception):
    """The run did not come so far that it could be killed; nothing is proved by it."""


class Campaign:
    """Kills on one machine, one after the other, at moments that are drawn.

    Some fall anywhere in the first seconds, when everything is being started; the others in the seconds in which
    faults strike, however long this machine took to come so far.
    """

    def __init__(self, output: Path, rng: random.Random) -> None:
        self.output, self._rng, self._number = output, rng, 0
        self._env = {k: v for k, v in os.environ.items() if k not in ("PORT", "BASE_URL", "OUTPUT_DIR")}
        self._env["XDG_STATE_HOME"] = str(output / "state")

    def kill(self, fault: str, plan: Experiment, mode: Mode) -> Kill:
        """Start a run, kill it, wait until nothing is left of it, and tell how long that took."""
        self._number += 1
        plans = self.output / "plans"
        plans.mkdir(parents=True, exist_ok=True)
        directory = RunDirectory.create(plans, plan)
        before = inventory()
        began = time.monotonic()
        process = self._start(directory.path)
        if self._rng.random() < EARLY:
            time.sleep(self._rng.uniform(EARLIEST_S, EARLY_S))
        else:
            self._wait_for_chaos(process)
            time.sleep(self._rng.uniform(0.0, CHAOS_S))
        at_s = time.monotonic() - began
        during = inventory(self._stacks()) - before
        guardian = _guardian(process.pid)
        self._end(process, mode)
        began = time.monotonic()
        healed_s = _ended(guardian, began)
        left = inventory(self._stacks()) - before
        limit_s = STAYS_S if mode == "guardian too" else CLEAN_LIMIT_S
        while left and time.monotonic() - began < limit_s:
            time.sleep(LOOK_S)
            left = inventory(self._stacks()) - before
        clean_s = None if left else round(time.monotonic() - began, 3)
        return Kill(
            fault=fault,
            mode=mode,
            at_s=round(at_s, 3),
            during=len(during),
            struck=self._struck(fault),
            healed_s=healed_s,
            clean_s=clean_s,
            left=tuple(sorted(left)),
        )

    def left(self, one: Kill) -> list[str]:
        """Return what of that which a kill left is there still."""
        return sorted(inventory(self._stacks()) & {*one.left})

    def heal(self) -> subprocess.CompletedProcess[str]:
        """Have ``capsize heal --all`` clean up."""
        return subprocess.run(
            [CAPSIZE, "heal", "--all"],
            capture_output=True,
            text=True,
            env=self._env,
            timeout=60,
            check=False,
        )

    def _start(self, plan: Path) -> subprocess.Popen[bytes]:
        with (self.output / "capsize.log").open("ab") as log:
            return subprocess.Popen(
                [CAPSIZE, "replay", plan, "--output", self.output / f"runs-{self._number}"],
                stdout=log,
                stderr=log,
                env=self._env,
                start_new_session=True,
            )

    def _wait_for_chaos(self, process: subprocess.Popen[bytes]) -> None:
        give_up = time.monotonic() + CHAOS_LIMIT_S
        while time.monotonic() < give_up and process.poll() is None:
            if '"phase":"chaos"' in self._history():
                return
            time.sleep(LOOK_S)
        raise NotUnderWay(
            f"the run came to no chaos within {CHAOS_LIMIT_S:g} s; see {self.output}/capsize.log"
        )

    def _end(self, process: subprocess.Popen[bytes], mode: Mode) -> None:
        if process.poll() is not None:
            raise NotUnderWay(f"the run ended by itself with {process.returncode}, before it could be killed")
        if mode == "guardian too":
            process.send_signal(signal.SIGSTOP)  # it would start another one
            guardian = _guardian(process.pid)
            if guardian is not None:
                guardian.kill()
        if mode == "group":
            os.killpg(process.pid, signal.SIGKILL)
        else:
            process.kill()
        process.wait()

    def _struck(self, fault: str) -> bool:
        """Return whether the fault was in effect: it had landed, and nobody had healed it."""
        return f'"stage":"landed","fault":"{fault}"' in self._history()

    def _stacks(self) -> set[str]:
        """Return the names of the folders that the run under way has, or was about to have."""
        runs = self.output / f"runs-{self._number}"
        return {name for path in runs.glob("*/undo.jsonl") for name in STACK.findall(path.read_text())}

    def _history(self) -> str:
        """Return the record of the run under way, or of the last one."""
        runs = self.output / f"runs-{self._number}"
        return "".join(path.read_text() for path in runs.glob("*/history.jsonl"))


def _guardian(capsize: int) -> psutil.Process | None:
    for child in psutil.Process(capsize).children():
        with suppress(psutil.Error):
            if "capsize.guardian" in child.cmdline():
                return child
    return None


def _ended(guardian: psutil.Process | None, began: float) -> float | None:
    """Wait until the guardian has ended and return how long that took."""
    while guardian is not None and time.monotonic() - began < CLEAN_LIMIT_S:
        try:
            if not guardian.is_running() or guardian.status() == psutil.STATUS_ZOMBIE:
                break
        except psutil.NoSuchProcess:
            break
        time.sleep(LOOK_S / 4)
    else:
        return None
    return round(time.monotonic() - began, 3)
