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
GIVEN_UP = "given up: the load ended"
FAIR_WAIT_S = 1.0
"""A call that was given up sooner says nothing of the service."""


def held_back(op: Op) -> bool:
    """Return whether a call never left capsize, which says nothing about the service."""
    return op.error is not None and op.error.startswith(NOT_SENT)


def cut_short(op: Op) -> bool:
    """Return whether capsize gave a call up before the service could be called slow.

    A load that ends takes what is under way with it. A call that had waited for long by then was stalled,
    and counts.
    """
    given_up = op.error is not None and op.error.startswith(GIVEN_UP)
    return given_up and op.t - op.sent < FAIR_WAIT_S


@derived
def ready(history: History) -> tuple[Op, ...]:
    """Return the availability probe's looks that were sent and not cut short, in the order of sending."""
    looks = (op for op in history.of(Op) if op.call == READY and not held_back(op) and not cut_short(op))
    return tuple(sorted(looks, key=lambda op: op.sent))


@derived
def api_calls(history: History) -> tuple[Op, ...]:
    """Return the calls of the API loads, also those that were held back, in the order of their planned times.

    Calls that were cut short are left out.
    """
    calls = (op for op in history.of(Op) if op.call.startswith(API) and not cut_short(op))
    return tuple(sorted(calls, key=lambda op: op.planned))


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
