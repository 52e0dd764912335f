"""``--jobs``: runs side by side, each in a process of its own with a stack of its own.

A process each, because runs in one process would share an event loop, and so each other's delays. Systems are
started one after the other: what is costly is the start, and two at once would only spoil the measurements of
those that stand already. The children have sessions of their own, so that a Ctrl-C reaches them once, from here.
"""

from __future__ import annotations

import asyncio
import signal
import sys
import time
from collections import deque
from collections.abc import Callable, Sequence
from contextlib import suppress
from dataclasses import dataclass, field
from pathlib import Path
from typing import TypeVar

import msgspec

from capsize.cli.child import Began, Message, Order, Over, Refused, Said, Stands
from capsize.cli.display import Display
from capsize.cli.interrupts import Interrupts
from capsize.cli.one import Outcome, died, not_begun
from capsize.cli.schedule import Round
from capsize.core.errors import CapsizeError
from capsize.core.experiment import Experiment
from capsize.report import RunReport

T = TypeVar("T")

LINE_LIMIT_BYTES = 1 << 28
LAST_WORDS = 2000


class Terms(msgspec.Struct, frozen=True, kw_only=True):
    """What all runs of an invocation have in common."""

    system: str
    platform: str
    output: Path
    keep: bool
    verbose: bool


@dataclass
class SideBySide:
    """Carries experiments out in child processes; ``add`` gets each one's number and outcome as it comes."""

    experiments: Sequence[Experiment]
    terms: Terms
    display: Display
    interrupts: Interrupts
    add: Callable[[int, Outcome], None]
    _children: set[_Child] = field(default_factory=set)
    _starting: asyncio.Lock = field(default_factory=asyncio.Lock)

    async def run(self, rounds: Sequence[Round]) -> None:
        """Carry out round after round.

        After a signal nothing new is begun, and what is under way is told to end in order and waited for.
        """
        self.interrupts.pass_on = self._pass_on
        try:
            for one in rounds:
                left = deque(one.numbers)
                async with asyncio.TaskGroup() as group:
                    for _ in range(one.jobs):
                        group.create_task(self._work_off(left))
        finally:
            # Only after an error of our own is anybody left: without us they heal and end.
            for child in self._children:
                child.let_go()

    async def _work_off(self, left: deque[int]) -> None:
        while left:
            number = left.popleft()
            self.add(number, await self._one(number))

    async def _one(self, number: int) -> Outcome:
        experiment = self.experiments[number]
        label = _label(self.experiments, experiment)
        child = _Child(
            experiment,
            self.terms,
            number + 1,
            len(self.experiments),
            lambda line: self.display.say(f"{label} | {line}"),
        )
        async with self._starting:
            if self.interrupts.caught is not None:
                return not_begun(experiment, self.interrupts.caught.name)
            self._children.add(child)
            await child.start()
            if self.interrupts.caught is not None:
                child.send(self.interrupts.caught)
            await child.stands()
        try:
            return await child.outcome(self.interrupts)
        finally:
            self._children.discard(child)

    def _pass_on(self, number: signal.Signals) -> None:
        for child in self._children:
            child.send(number)


def _label(experiments: Sequence[Experiment], experiment: Experiment) -> str:
    """Return what a run's lines begin with: its scenario, and its seed when there are several, all equally long."""
    seeded = len({one.seed for one in experiments}) > 1

    def name(one: Experiment) -> str:
        return f"{one.scenario} #{one.seed}" if seeded else one.scenario

    return name(experiment).ljust(max(len(name(one)) for one in experiments))


class _Child:
    """One run in its process, as seen from here."""

    def __init__(
        self,
        experiment: Experiment,
        terms: Terms,
        number: int,
        total: int,
        say: Callable[[str], None],
    ) -> None:
        self._experiment, self._say = experiment, say
        self._order = Order(
            experiment=experiment,
            system=terms.system,
            platform=terms.platform,
            output=str(terms.output),
            keep=terms.keep,
            verbose=terms.verbose,
            number=number,
            total=total,
            called=sys.argv[0],
        )
        self._standing = asyncio.Event()
        self._directory: Path | None = None
        self._report: RunReport | None = None
        self._crash = ""
        self._refused = ""
        self._began = time.monotonic()

    async def start(self) -> None:
        """Start the process and give it its order."""
        self._process = await asyncio.create_subprocess_exec(
            sys.executable,
            "-m",
            "capsize.cli.child",
            stdin=asyncio.subprocess.PIPE,
            stdout=asyncio.subprocess.PIPE,
            stderr=asyncio.subprocess.PIPE,
            limit=LINE_LIMIT_BYTES,
            start_new_session=True,
        )
        self._writer = _there(self._process.stdin)
        self._writer.write(msgspec.json.encode(self._order) + b"\n")
        self._listening = asyncio.create_task(self._listen(), name=f"listen {self._experiment.scenario}")
        self._last_words = asyncio.create_task(self._overhear(), name="stderr")

    async def stands(self) -> None:
        """Wait until its system is up, or it ended."""
        await self._standing.wait()

    async def outcome(self, interrupts: Interrupts) -> Outcome:
        """Wait for its end and return how it came out, also when it could not say so itself."""
        await self._listening
        code = await self._process.wait()
        words = await self._last_words
        self.let_go()
        if self._report is not None:
            return Outcome(self._report, self._crash, self._directory)
        if self._refused:
            return not_begun(self._experiment, self._refused, invalid=True)
        if self._directory is None and interrupts.caught is not None:
            return not_begun(self._experiment, interrupts.caught.name)
        return await self._without_report(code, words)

    async def _without_report(self, code: int, words: str) -> Outcome:
        """Judge what is there, after ending what a process that was killed can't end any more."""
        from capsize.cli.parts import end_left_behind

        # Its guardian is at it already; whichever comes first, nothing is left when the summary is out.
        with suppress(CapsizeError):
            await asyncio.to_thread(end_left_behind)
        how = f"was ended by {signal.Signals(-code).name}" if code < 0 else f"exited with {code}"
        reason = f"the process of this run {how} before it could report"
        self._say(reason)
        last = words.strip().splitlines()[-1:]
        crash = f"{reason}: {' '.join(last)}" if code >= 0 else ""
        if self._directory is None:
            return not_begun(self._experiment, reason, crash=crash)
        duration_s = time.monotonic() - self._began
        report = await asyncio.to_thread(died, self._experiment, self._directory, reason, duration_s)
        return Outcome(report, crash, self._directory)

    def send(self, number: signal.Signals) -> None:
        """Send a signal to it, if it lives."""
        process = getattr(self, "_process", None)
        if process is not None and process.returncode is None:
            process.send_signal(number)

    def let_go(self) -> None:
        """Close the line to it: if it still lives, it heals and ends."""
        writer = getattr(self, "_writer", None)
        if writer is not None:
            writer.close()

    async def _listen(self) -> None:
        try:
            async for line in _there(self._process.stdout):
                self._heard(msgspec.json.decode(line, type=Message))
        finally:
            self._standing.set()

    def _heard(self, message: Message) -> None:
        match message:
            case Said():
                self._say(message.line)
            case Began():
                self._directory = Path(message.directory)
            case Stands():
                self._standing.set()
            case Refused():
                self._refused = message.reason
            case Over():
                self._report, self._crash = message.report, message.crash

    async def _overhear(self) -> str:
        """Return the last that it wrote to stderr: only what broke writes there."""
        words = b""
        stream = _there(self._process.stderr)
        while more := await stream.read(1 << 16):
            words = (words + more)[-LAST_WORDS:]
        return words.decode(errors="replace")


def _there(stream: T | None) -> T:
    """Return a pipe that was asked for."""
    if stream is None:
        raise RuntimeError("a child process without pipes")
    return stream
