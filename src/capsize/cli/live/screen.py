"""The live view as a display: it takes the whole terminal for each scenario and gives it back at its end."""

from __future__ import annotations

import os
import signal
import time
from pathlib import Path
from typing import TextIO

from rich.console import Console
from rich.live import Live

from capsize.cli.live.board import Board
from capsize.cli.live.drawing import screen
from capsize.cli.live.keys import Keys
from capsize.core.events import Event, PhaseChanged
from capsize.core.experiment import Experiment

REDRAW_S = 0.25
QUIT = frozenset("qQ")


class Screen:
    """Draws the run from its own events, at most four times a second; ``q`` is Ctrl-C: it heals, stops and reports.

    No thread of its own: one would disturb the measurements of the run.
    """

    def __init__(self, stream: TextIO, verbose: bool) -> None:
        self._console = Console(file=stream, highlight=False)
        self._verbose = verbose
        self._board: Board | None = None
        self._live: Live | None = None
        self._keys = Keys(self._pressed)
        self._drawn = 0.0

    def begin(self, experiment: Experiment, directory: Path, number: int, total: int) -> None:
        """Take the terminal."""
        self._board = Board(experiment, number, total, verbose=self._verbose)
        self._board.say(f"run directory: {directory}")
        self._live = Live(console=self._console, auto_refresh=False, screen=True)
        self._live.start()
        self._keys.listen()
        self._draw()

    def observe(self, event: Event) -> None:
        """Take an event into account, and redraw when it is time."""
        if self._board is None:
            return
        self._board.observe(event)
        if time.monotonic() - self._drawn >= REDRAW_S or isinstance(event, PhaseChanged):
            self._draw()

    def say(self, message: str) -> None:
        """Show a line among the events, or print it when no scenario is under way."""
        if self._board is None or self._live is None:
            self._console.print(message, markup=False)
            return
        self._board.say(message)
        self._draw()

    def end(self, line: str) -> None:
        """Give the terminal back and print how it came out."""
        self._keys.stop()
        if self._live is not None:
            self._live.stop()
            self._live = None
        self._console.print(line.strip(), markup=False)

    def _draw(self) -> None:
        self._drawn = time.monotonic()
        if self._live is not None and self._board is not None:
            width, height = self._console.size
            self._live.update(screen(self._board, width, height), refresh=True)

    def _pressed(self, key: str) -> None:
        if key in QUIT:
            os.kill(os.getpid(), signal.SIGINT)
