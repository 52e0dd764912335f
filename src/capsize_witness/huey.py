"""Huey: ``capsize_witness.huey.install(huey)`` beside the instance is all."""

from __future__ import annotations

from typing import Any

from huey import signals

from capsize_witness.announcing import announce

_FAILED = (signals.SIGNAL_ERROR, signals.SIGNAL_TIMEOUT, signals.SIGNAL_CANCELED, signals.SIGNAL_LOCKED)


def install(huey: Any) -> None:
    """Announce each run of each task of an instance.

    Huey takes a task out of its queue before it runs it, so nothing is written down afterwards that a death
    of the worker could undo: ``finished`` and ``recorded`` are one moment.
    """

    @huey.pre_execute(name="capsize started")
    def started(task: Any) -> None:
        announce("started", task.id, kind=task.name)

    @huey.signal(signals.SIGNAL_COMPLETE)
    def finished(signal: str, task: Any) -> None:
        announce("finished", task.id, kind=task.name)
        announce("recorded", task.id, kind=task.name)

    @huey.signal(*_FAILED)
    def failed(signal: str, task: Any, error: BaseException | None = None) -> None:
        announce("failed", task.id, kind=task.name)

    @huey.signal(signals.SIGNAL_INTERRUPTED)
    def interrupted(signal: str, task: Any) -> None:
        announce("abandoned", task.id, kind=task.name)
