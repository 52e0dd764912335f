"""Single keys of a terminal, heard by the running event loop."""

from __future__ import annotations

import asyncio
import os
import sys
import termios
import tty
from collections.abc import Callable
from contextlib import suppress
from typing import Any


class Keys:
    """Calls ``pressed`` with each key while it listens; the terminal is as it was afterwards."""

    def __init__(self, pressed: Callable[[str], None], fd: int | None = None) -> None:
        self._pressed = pressed
        self._fd = sys.stdin.fileno() if fd is None else fd
        self._before: list[Any] | None = None

    def listen(self) -> None:
        """Begin; nothing when standard input is no terminal, or belongs to another job."""
        if self._before is not None or not os.isatty(self._fd):
            return
        if os.tcgetpgrp(self._fd) != os.getpgrp():
            return
        self._before = termios.tcgetattr(self._fd)
        # Keys at once and unseen; Ctrl-C still is a signal.
        tty.setcbreak(self._fd)
        asyncio.get_running_loop().add_reader(self._fd, self._came)

    def stop(self) -> None:
        """End; may be called again."""
        if self._before is None:
            return
        with suppress(RuntimeError):
            asyncio.get_running_loop().remove_reader(self._fd)
        termios.tcsetattr(self._fd, termios.TCSADRAIN, self._before)
        self._before = None

    def _came(self) -> None:
        try:
            text = os.read(self._fd, 64).decode(errors="replace")
        except OSError:
            text = ""
        if not text:
            # The terminal went away; a reader that is always ready would take all the time there is.
            with suppress(RuntimeError):
                asyncio.get_running_loop().remove_reader(self._fd)
        for key in text:
            self._pressed(key)
