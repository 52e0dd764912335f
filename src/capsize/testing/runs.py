"""A scenario that a test asks for: carried out once by a process of its own, and read from its run directory."""

from __future__ import annotations

import ctypes
import fcntl
import hashlib
import json
import os
import signal
import subprocess
import sys
from collections import Counter
from collections.abc import Callable, Sequence
from functools import cached_property
from pathlib import Path
from typing import Any

import msgspec

from capsize.core.errors import CapsizeError, UsageError
from capsize.core.experiment import Experiment
from capsize.core.levels import level
from capsize.core.verdict import Result, Verdict
from capsize.rundir import RunDirectory
from capsize.scenarios.custom import BrokenScenario, find, planned
from capsize.scenarios.remote import for_system
from capsize.systems.choose import choose_system
from capsize.testing.history import RunHistory, Unproved

HEAL_LIMIT_S = 120.0
PR_SET_PDEATHSIG = 1
FOREIGN = frozenset(
    {"PORT", "BASE_URL", "OUTPUT_DIR", "VERBOSE", "CAPSIZE_PLATFORM", "GITHUB_ACTIONS", "GITHUB_STEP_SUMMARY"}
)
"""Variables that change what a run does or where it tells of it: a test's marker and pytest say all of that."""


class Order(msgspec.Struct, frozen=True, kw_only=True):
    """What a marker asks for. ``platform`` and ``system`` are the session's unless it names others."""

    scenario: str
    seed: int
    level: int = 1
    time_scale: float = 1.0
    platform: str = "local"
    system: str = "starter"
    workers: int | None = None
    tasks: int | None = None
    task_delay: float | None = None
    deadline: float | None = None
    chaos_interval: tuple[float, float] | None = None

    def experiment(self) -> Experiment:
        """Plan it, without starting anything. Raises UsageError."""
        figures = {
            "workers": self.workers,
            "tasks": self.tasks,
            "task_delay_s": self.task_delay,
            "deadline_s": self.deadline,
            "interval_s": self.chaos_interval,
        }
        given = {name: value for name, value in figures.items() if value is not None}
        try:
            plan = planned(
                find(self.scenario), level(self.level, time_scale=self.time_scale, **given), self.seed
            )
        except BrokenScenario as error:
            raise UsageError(f"{self.scenario}: {error}") from error
        return for_system(plan, choose_system(self.system))

    def command(self, output: Path) -> list[str]:
        """Return the command that carries it out."""
        words = [sys.executable, "-m", "capsize", "run", "--scenarios", self.scenario]
        words += ["--difficulty", str(self.level), "--seed", str(self.seed), "--platform", self.platform]
        words += ["--system", self.system, "--time-scale", f"{self.time_scale:g}", "--output", str(output)]
        for flag in ("workers", "tasks", "task_delay", "deadline"):
            value = getattr(self, flag)
            if value is not None:
                words += [f"--{flag.replace('_', '-')}", f"{value:g}"]
        if self.chaos_interval is not None:
            words += ["--chaos-interval", "-".join(f"{end:g}" for end in self.chaos_interval)]
        return words

    @property
    def key(self) -> str:
        """Return a word that tells orders apart."""
        return hashlib.sha256(msgspec.json.encode(self)).hexdigest()[:16]


class MarkedRun:
    """A scenario that was carried out: its verdict, its claims and its history."""

    def __init__(self, told: dict[str, Any], experiment: Experiment) -> None:
        self.experiment = experiment
        self.verdict = Verdict[told.get("verdict", "UNKNOWN")]
        self.reason: str = told.get("reason", "")
        self.skipped: bool = told.get("skipped", False)
        self.directory = Path(told["directory"]) if told.get("directory") else None

    @cached_property
    def results(self) -> dict[str, Result]:
        """Return what each claim came out as, by the name that :func:`named` gives it."""
        judgement = RunDirectory.open(self.directory).judgement() if self.directory else None
        results = judgement.results if judgement else ()
        return dict(zip(named([one.checker for one in results]), results, strict=True))

    @cached_property
    def history(self) -> RunHistory:
        """Return what happened. Raises Unproved when nothing was recorded."""
        if self.directory is None:
            raise Unproved(self.reason or "the run recorded nothing")
        read = RunDirectory.open(self.directory).history()
        return RunHistory(read, self.experiment, truncated=read.truncated, where=str(self.directory))

    @property
    def worse_than_its_claims(self) -> bool:
        """Return whether something went wrong that no claim tells: a start or a heal that failed, a crash."""
        return not self.skipped and self.verdict > max(
            (one.verdict for one in self.results.values()), default=Verdict.PASS
        )


def promises(experiment: Experiment) -> list[str]:
    """Return the names under which the claims of a plan are told, in order."""
    claims = [spec.name for spec in experiment.checkers]
    return named(claims if "ended" in claims else ["ended", *claims])


def named(claims: Sequence[str]) -> list[str]:
    """Return claims as names that differ: the second of a kind gets a number."""
    seen: Counter[str] = Counter()
    names = []
    for claim in claims:
        seen[claim] += 1
        names.append(claim if seen[claim] == 1 else f"{claim}-{seen[claim]}")
    return names


def obtain(order: Order, experiment: Experiment, *, output: Path, shared: Path) -> MarkedRun:
    """Return the run of an order, carried out by whichever process of this test session asks first.

    The others wait for it: ``shared`` is a folder that all of them have. Raises CapsizeError when capsize itself
    could not be run.
    """
    shared.mkdir(parents=True, exist_ok=True)
    answer = shared / f"{order.key}.json"
    with (shared / f"{order.key}.lock").open("w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        if not answer.is_file():
            told = _carry_out(order, output)
            draft = answer.with_suffix(".draft")
            draft.write_text(json.dumps(told))
            draft.replace(answer)
    return MarkedRun(json.loads(answer.read_text()), experiment)


def _carry_out(order: Order, output: Path) -> dict[str, Any]:
    """Run it and return its verdict, reason and directory."""
    # A folder of its own: runs of other workers write their summaries at the same time.
    folder = output / f"{_short(order.scenario)}-{order.level}-{order.seed}-{order.key[:6]}"
    folder.mkdir(parents=True, exist_ok=True)
    summary = folder / "summary.json"
    summary.unlink(missing_ok=True)
    code, said = _ran(order.command(folder))
    try:
        whole = json.loads(summary.read_text())
        (run,) = whole["runs"]
    except (OSError, ValueError, KeyError) as error:
        raise CapsizeError(f"capsize could not be run (exit code {code}):\n{said}") from error
    status = run["status"]
    return {
        "verdict": status if status in Verdict.__members__ else "UNKNOWN",
        "skipped": status == "SKIPPED",
        "reason": run["reason"] or (said if status == "ERROR" else ""),
        "directory": run["run_dir"] and os.path.abspath(run["run_dir"]),
    }


def _ran(command: list[str]) -> tuple[int, str]:
    """Run a command to its end; when the caller is interrupted, have it heal and wait for that."""
    env = {name: value for name, value in os.environ.items() if name not in FOREIGN}
    with subprocess.Popen(
        command,
        stdin=subprocess.DEVNULL,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
        env=env,
        preexec_fn=_heal_with_us(),
    ) as process:
        try:
            said, _ = process.communicate()
        except BaseException:
            process.send_signal(signal.SIGINT)
            process.communicate(timeout=HEAL_LIMIT_S)
            raise
    return process.returncode, said[-4000:]


def _heal_with_us() -> Callable[[], object] | None:
    """Return what makes a child heal and end when this process is killed; only Linux has that."""
    if not sys.platform.startswith("linux"):
        return None
    # Loaded before the fork: between fork and exec nothing but the call itself may happen.
    prctl = ctypes.CDLL(None).prctl
    return lambda: prctl(PR_SET_PDEATHSIG, int(signal.SIGINT), 0, 0, 0)


def _short(scenario: str) -> str:
    return Path(scenario).stem.replace("_", "-")
