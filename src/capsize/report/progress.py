"""How far a run is, folded from its events: for the live display, and for a history that was cut off."""

from __future__ import annotations

from collections import Counter

from capsize.checkers.answers import cut_short, held_back
from capsize.core.events import Event, Op, PhaseChanged, Struck, Witnessed


class Progress:
    """Counts what a run has done so far; fed with its events in order.

    A retry is a further run of a task, by its attempt number at the witness. ``api_ratio`` counts only
    the calls of the API load (``api:<name>``), not the submissions and not the availability probe.
    """

    def __init__(self) -> None:
        self.t = 0.0
        self.phase = ""
        self.phase_began = 0.0
        self.accepted: set[str] = set()
        self.done: set[str] = set()
        self.retries = 0
        self.strikes: Counter[str] = Counter()
        self.api_ok = 0
        self.api_total = 0

    def observe(self, event: Event) -> None:
        """Take one event into account."""
        self.t = max(self.t, event.t)
        match event:
            case PhaseChanged(what="begin"):
                self.phase, self.phase_began = event.phase, event.t
            case Struck():
                self.strikes[event.stage] += 1
            case Witnessed():
                self._witnessed(event)
            case Op():
                self._operation(event)
            case _:
                pass

    def _witnessed(self, event: Witnessed) -> None:
        if event.event == "recorded":
            self.done.add(event.task)
        elif event.event == "started" and event.attempt > 1:
            self.retries += 1

    def _operation(self, event: Op) -> None:
        if event.task is not None and event.outcome == "ok":
            self.accepted.add(event.task)
        if event.call.startswith("api:") and not (held_back(event) or cut_short(event)):
            self.api_total += 1
            self.api_ok += event.outcome == "ok"

    @property
    def api_ratio(self) -> float | None:
        """Return the share of good API calls so far, None before the first."""
        return self.api_ok / self.api_total if self.api_total else None

    @property
    def in_phase_s(self) -> float:
        """Return the seconds since the phase began, as of the last event."""
        return self.t - self.phase_began
