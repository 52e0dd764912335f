"""The answers of the API: the availability probe's, and those of the API load."""

from __future__ import annotations

from bisect import bisect_left
from dataclasses import dataclass

from capsize.checkers.derived import derived
from capsize.core.events import Op
from capsize.core.history import History

READY = "ready"
API = "api:"
NOT_SENT = "not sent: "
"""The error of a call that was due and that capsize held back begins so; the client load writes it."""
CLIENT_LIMIT = "client limit"


def held_back(op: Op) -> bool:
    """Return whether a call never left capsize, which says nothing about the service."""
    return op.error is not None and op.error.startswith((NOT_SENT, CLIENT_LIMIT))


@derived
def ready(history: History) -> tuple[Op, ...]:
    """Return the availability probe's looks that were sent, in the order of sending."""
    looks = (op for op in history.of(Op) if op.call == READY and not held_back(op))
    return tuple(sorted(looks, key=lambda op: op.sent))


@derived
def api_calls(history: History) -> tuple[Op, ...]:
    """Return the calls of the API loads, also those that were held back, in the order of their planned times."""
    return tuple(sorted((op for op in history.of(Op) if op.call.startswith(API)), key=lambda op: op.planned))


@dataclass(frozen=True, slots=True)
class Return:
    """What the probe saw after a moment: the first bad look, and when it was good for good.

    ``down`` is when the first bad look was sent (None: it never went away). ``back`` is when the first of
    several good answers in a row was complete, None when that never came.
    """

    down: float | None
    back: float | None


def back_after(looks: tuple[Op, ...], since: float, dips_until: float, in_row: int) -> Return:
    """Return when the API was back after something that happened at ``since``.

    Every dip that begins up to ``dips_until`` counts: being good in between does not end the outage. A bad
    look that was sent before ``since`` counts when its answer came, or failed to come, after it.
    """
    first = bisect_left(looks, since, key=lambda op: op.sent)
    down: float | None = None
    for op in looks[max(0, first - 500) : first]:
        if op.t > since and op.outcome != "ok":
            down = op.sent if down is None else down
    good: list[Op] = []
    back: float | None = None
    for op in looks[first:]:
        if back is not None and op.sent > dips_until:
            break
        if op.outcome == "ok":
            good.append(op)
            if back is None and len(good) >= in_row:
                back = good[-in_row].t
        elif back is None or op.sent <= dips_until:
            down = op.sent if down is None and op.sent <= dips_until else down
            good, back = [], None
    return Return(down=down, back=back)
