"""One run in a process of its own, for ``--jobs``: ``python -m capsize.cli.child``, started by capsize alone.

The order comes as one line of JSON on stdin, what happens goes out as lines of JSON on stdout. stdin stays
open as long as the parent lives: its end is the parent's end, and is taken like SIGTERM, so that a parent
that was killed leaves nothing broken and nothing running.
"""

from __future__ import annotations

import asyncio
import os
import signal
import sys
from collections.abc import Callable
from pathlib import Path
from typing import BinaryIO

import msgspec

from capsize.core.events import Event, PhaseChanged, RunEnded
from capsize.core.experiment import Experiment
from capsize.report.model import RunReport

QUIET_NICENESS = 10
"""How far a process steps back once its run is over: judging must not disturb the runs that still measure."""


class Order(msgspec.Struct, frozen=True, kw_only=True):
    """What the parent wants; ``called`` is how the person called capsize."""

    experiment: Experiment
    system: str
    platform: str
    output: str
    keep: bool
    verbose: bool
    number: int
    total: int
    called: str


class Said(msgspec.Struct, frozen=True, tag="said"):
    """A line for the person."""

    line: str


class Began(msgspec.Struct, frozen=True, tag="began"):
    """The run directory was made."""

    directory: str


class Stands(msgspec.Struct, frozen=True, tag="stands"):
    """The system is up: starting another one disturbs no start any more."""


class Refused(msgspec.Struct, frozen=True, tag="refused"):
    """The experiment makes no sense; nothing was started."""

    reason: str


class Over(msgspec.Struct, frozen=True, tag="over"):
    """The run is over and judged. ``crash`` says what broke capsize, if anything did."""

    report: RunReport
    crash: str = ""


Message = Said | Began | Stands | Refused | Over
Tell = Callable[[Message], None]


class Relay:
    """Shows a run's progress as plain lines that go to the parent; never raises."""

    def __init__(self, tell: Tell, verbose: bool) -> None:
        from capsize.cli.display import Guarded, Plain

        self._tell = tell
        self._shown = Guarded(Plain(_Lines(tell), verbose))  # type: ignore[arg-type]
        self._stands = False

    def begin(self, experiment: Experiment, directory: Path, number: int, total: int) -> None:
        """Tell of the run directory, and show the heading."""
        self._tell(Began(str(directory)))
        self._shown.begin(experiment, directory, number, total)

    def observe(self, event: Event) -> None:
        """Show it, and tell when the system stands."""
        if not self._stands and isinstance(event, PhaseChanged):
            self._stands = True
            self._tell(Stands())
        if isinstance(event, RunEnded):
            os.nice(QUIET_NICENESS)
        self._shown.observe(event)

    def say(self, message: str) -> None:
        """Pass it on."""
        self._shown.say(message)

    def end(self, line: str) -> None:
        """Pass it on."""
        self._shown.end(line)


class _Lines:
    """A stream whose lines are messages."""

    def __init__(self, tell: Tell) -> None:
        self._tell = tell

    def write(self, text: str) -> None:
        """Tell the line, unless it is empty."""
        if text.strip():
            self._tell(Said(text.rstrip("\n")))

    def flush(self) -> None:
        """Nothing is kept back."""


def main() -> None:
    """Carry one order out."""
    told = _take_stdout()

    def tell(message: Message) -> None:
        try:
            told.write(msgspec.json.encode(message) + b"\n")
            told.flush()
        except OSError:
            pass  # nobody listens any more: the end of stdin says so too

    order = msgspec.json.decode(sys.stdin.buffer.readline(), type=Order)
    sys.argv[0] = order.called
    from capsize.cli.invocation import event_loop

    with asyncio.Runner(loop_factory=event_loop()) as runner:
        runner.run(_carry_out(order, tell))


def _take_stdout() -> BinaryIO:
    """Keep stdout for messages; whatever prints goes to stderr."""
    own = os.fdopen(os.dup(1), "wb")
    os.dup2(2, 1)
    return own


async def _carry_out(order: Order, tell: Tell) -> None:
    from capsize.cli.interrupts import Interrupts
    from capsize.cli.one import One
    from capsize.cli.parts import choose_system
    from capsize.core.errors import UsageError

    # The parent says it once for all of its children.
    interrupts = Interrupts(lambda message: None)
    interrupts.listen()
    _end_with_the_parent()
    one = One(
        order.experiment, choose_system(order.system), order.platform, Path(order.output), keep=order.keep
    )
    try:
        outcome = await one.carry_out(Relay(tell, order.verbose), interrupts, order.number, order.total)
    except UsageError as error:
        tell(Refused(str(error)))
        return
    crash = outcome.crash
    tell(Over(outcome.required_report, f"{type(crash).__name__}: {crash}" if crash else ""))


def _end_with_the_parent() -> None:
    """Take the end of stdin, which is that of the parent, like SIGTERM."""
    loop = asyncio.get_running_loop()

    def heard() -> None:
        if not os.read(0, 4096):
            loop.remove_reader(0)
            os.kill(os.getpid(), signal.SIGTERM)

    loop.add_reader(0, heard)


if __name__ == "__main__":
    main()
