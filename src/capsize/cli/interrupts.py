"""SIGINT, SIGTERM and SIGHUP as an orderly end: the run is cancelled, heals, stops, and is still judged."""

from __future__ import annotations

import asyncio
import signal
from collections.abc import Callable

from capsize.cli.exits import SIGNALLED

SIGNALS = (signal.SIGINT, signal.SIGTERM, signal.SIGHUP)


class Interrupts:
    """Turns the first signal into the cancellation of the current work; later ones are only answered.

    Healing is no option, so that a second Ctrl-C does not end it. Only SIGKILL does.
    """

    def __init__(self, say: Callable[[str], None]) -> None:
        self._say = say
        self.pass_on: Callable[[signal.Signals], None] | None = None
        """Is told of the first signal, for work in other processes."""
        self._current: asyncio.Task[None] | None = None
        self.caught: signal.Signals | None = None

    @property
    def exit_code(self) -> int:
        """Return 128 and the signal's number; 0 when there was none."""
        return 0 if self.caught is None else SIGNALLED + self.caught.value

    def listen(self) -> None:
        """Take the signals over from now on, in the running loop."""
        loop = asyncio.get_running_loop()
        for number in SIGNALS:
            loop.add_signal_handler(number, self._came, number)

    def ignore(self) -> None:
        """Give the signals back."""
        loop = asyncio.get_running_loop()
        for number in SIGNALS:
            loop.remove_signal_handler(number)

    async def run(self, work: asyncio.Task[None]) -> None:
        """Wait for a task that a signal may cancel. Raises what the task raises."""
        self._current = work
        try:
            if self.caught is not None:
                work.cancel()
            await work
        finally:
            self._current = None

    def _came(self, number: signal.Signals) -> None:
        if self.caught is not None:
            self._say(f"{number.name} again: still healing and stopping; this has to be finished.")
            return
        self.caught = number
        self._say(f"{number.name}: healing and stopping; the report follows in a few seconds.")
        if self._current is not None:
            self._current.cancel()
        if self.pass_on is not None:
            self.pass_on(number)
