"""Whether the system is in its steady state at this moment."""

from __future__ import annotations

from collections import deque

from capsize.core.events import Event, InstanceChanged, Op

GOOD_IN_ROW = 10


class Steadiness:
    """Watches the availability probe and the instances; knows no history beyond the last few answers."""

    def __init__(self) -> None:
        self._answers: deque[bool] = deque(maxlen=GOOD_IN_ROW)
        self._down: set[str] = set()

    def observe(self, event: Event) -> None:
        """Take an event into account."""
        if isinstance(event, Op) and event.call == "ready":
            self._answers.append(event.outcome == "ok")
        elif isinstance(event, InstanceChanged):
            if event.state in ("starting", "exited", "gave_up"):
                self._down.add(event.instance)
            else:
                # A stopped instance is down on purpose: it does not keep the system from being steady.
                self._down.discard(event.instance)

    @property
    def steady(self) -> bool:
        """Return whether every instance is ready and the last answers were all good."""
        return not self._down and len(self._answers) == GOOD_IN_ROW and all(self._answers)
