"""The history of a run: what happened, in order, on one clock."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from functools import cached_property
from typing import TypeVar

from capsize.core.events import Event, PhaseChanged, RunBegan, RunEnded

E = TypeVar("E", bound=Event)


class History:
    """An immutable sequence of events in the order in which they were written, with typed views."""

    def __init__(self, events: Iterable[Event], *, truncated: bool = False) -> None:
        self._events = tuple(events)
        self._by_type: dict[type[Event], tuple[Event, ...]] = {}
        self.truncated = truncated
        """Whether the last line was cut off while it was written."""

    def __iter__(self) -> Iterator[Event]:
        return iter(self._events)

    def __len__(self) -> int:
        return len(self._events)

    def of(self, kind: type[E]) -> tuple[E, ...]:
        """Return the events of one type, in order."""
        if kind not in self._by_type:
            self._by_type[kind] = tuple(event for event in self._events if isinstance(event, kind))
        return self._by_type[kind]  # type: ignore[return-value]

    @property
    def began(self) -> RunBegan | None:
        """Return the first line, if the run got that far."""
        return next(iter(self.of(RunBegan)), None)

    @property
    def ended(self) -> RunEnded | None:
        """Return the last line, or None when the run was cut off."""
        return next(iter(self.of(RunEnded)), None)

    @cached_property
    def end_s(self) -> float:
        """Return the time of the last event, 0 for an empty history."""
        return max((event.t for event in self._events), default=0.0)

    def phase(self, name: str) -> tuple[float, float] | None:
        """Return the begin and end of a phase; the history's end stands in for an end that is missing."""
        begin = end = None
        for event in self.of(PhaseChanged):
            if event.phase == name and event.what == "begin" and begin is None:
                begin = event.t
            elif event.phase == name and event.what == "end":
                end = event.t
        return None if begin is None else (begin, self.end_s if end is None else end)

    @property
    def phases(self) -> tuple[str, ...]:
        """Return the names of the phases that began, in order."""
        return tuple(event.phase for event in self.of(PhaseChanged) if event.what == "begin")
