"""What the pytest plugin stands on: marked runs, stacks that a test breaks by hand, and assertions on histories."""

from __future__ import annotations

from capsize.testing.history import PromiseBroken, RunHistory, Unproved
from capsize.testing.runs import MarkedRun, Order

__all__ = ["MarkedRun", "Order", "PromiseBroken", "RunHistory", "Unproved"]
