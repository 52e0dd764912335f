"""Waking up at an exact moment.

An event loop's own timers count whole milliseconds, which makes ``asyncio.sleep`` late by half of one in the
median. On Linux a ``timerfd`` wakes the loop through a descriptor instead, to some hundredths of a
millisecond. Elsewhere, and on a simulated clock, the clock's own ``sleep`` serves.
"""

from __future__ import annotations

import asyncio
import contextlib
import ctypes
import os
import sys
from types import TracebackType
from typing import Protocol

from capsize.core.clock import Clock, MonotonicClock

CLOCK_MONOTONIC = 1
_FLAGS = os.O_NONBLOCK | os.O_CLOEXEC if sys.platform == "linux" else 0


class Alarm(Protocol):
    """Wakes one waiter at a time."""

    async def __aenter__(self) -> Alarm:
        """Take what the alarm needs."""
        ...

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        """Give it back."""
        ...

    async def until(self, when: float) -> None:
        """Wait until a moment of the run's clock; return at once when it is past."""
        ...


def alarm(clock: Clock) -> Alarm:
    """Return the most exact alarm that there is for a clock."""
    if isinstance(clock, MonotonicClock) and _TimerFd.available():
        return _TimerFd(clock)
    return _Sleep(clock)


class _Sleep:
    """The clock's own sleep."""

    def __init__(self, clock: Clock) -> None:
        self._clock = clock

    async def __aenter__(self) -> Alarm:
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        return None

    async def until(self, when: float) -> None:
        """Wait until a moment; always gives way to other tasks once."""
        await self._clock.sleep(max(0.0, when - self._clock.now()))


class _Span(ctypes.Structure):
    """``struct itimerspec``: the interval (unused), then the time to the first expiry."""

    _fields_ = (
        ("interval_s", ctypes.c_long),
        ("interval_ns", ctypes.c_long),
        ("value_s", ctypes.c_long),
        ("value_ns", ctypes.c_long),
    )


class _TimerFd:
    """A Linux timerfd, through ctypes: ``os.timerfd_create`` exists only from Python 3.13 on."""

    def __init__(self, clock: Clock) -> None:
        self._clock = clock
        self._fd = -1
        self._woken: asyncio.Future[None] | None = None

    @staticmethod
    def available() -> bool:
        """Tell whether this machine's C library has it."""
        return _libc is not None

    async def __aenter__(self) -> Alarm:
        assert _libc is not None  # noqa: S101
        self._fd = _libc.timerfd_create(CLOCK_MONOTONIC, _FLAGS)
        if self._fd < 0:
            raise OSError(ctypes.get_errno(), "timerfd_create failed")
        asyncio.get_running_loop().add_reader(self._fd, self._rang)
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        asyncio.get_running_loop().remove_reader(self._fd)
        os.close(self._fd)
        self._fd = -1

    async def until(self, when: float) -> None:
        """Wait until a moment. One waiter at a time."""
        while (left := when - self._clock.now()) > 0:
            self._set(left)
            self._woken = asyncio.get_running_loop().create_future()
            try:
                await self._woken
            finally:
                self._woken = None

    def _set(self, seconds: float) -> None:
        # Zero would disarm the timer.
        whole, part = divmod(max(1, int(seconds * 1e9)), 1_000_000_000)
        span = _Span(0, 0, whole, part)
        assert _libc is not None  # noqa: S101
        if _libc.timerfd_settime(self._fd, 0, ctypes.byref(span), None) != 0:
            raise OSError(ctypes.get_errno(), "timerfd_settime failed")

    def _rang(self) -> None:
        with contextlib.suppress(BlockingIOError):
            os.read(self._fd, 8)
        if self._woken is not None and not self._woken.done():
            self._woken.set_result(None)


def _load() -> ctypes.CDLL | None:
    if sys.platform != "linux":
        return None
    library = ctypes.CDLL(None, use_errno=True)
    if not hasattr(library, "timerfd_create"):
        return None
    library.timerfd_settime.argtypes = [ctypes.c_int, ctypes.c_int, ctypes.POINTER(_Span), ctypes.c_void_p]
    return library


_libc = _load()
