"""Celery: tells the witness by signals. ``import capsize_witness.celery`` beside the app is all."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from celery import Task, signals
from celery.worker.request import Request

from capsize_witness.announcing import announce


@signals.task_prerun.connect(weak=False)
def _started(task: Any = None, **_: Any) -> None:
    announce("started", task.request.id, kind=task.name)


@signals.task_success.connect(weak=False)
def _finished(sender: Any = None, **_: Any) -> None:
    announce("finished", sender.request.id, kind=sender.name)
    # Acknowledged when it was taken, and its result is stored: nothing more will be written down of it. A task
    # that is acknowledged late is not over for the broker yet: the request tells that.
    if not sender.acks_late:
        announce("recorded", sender.request.id, kind=sender.name)


@signals.task_failure.connect(weak=False)
def _failed(sender: Any = None, task_id: str = "", **_: Any) -> None:
    announce("failed", task_id, kind=sender.name)


@signals.task_retry.connect(weak=False)
def _retried(sender: Any = None, request: Any = None, **_: Any) -> None:
    announce("failed", request.id, kind=sender.name)


class WitnessedRequest(Request):
    """A request that tells when the message of a task that is acknowledged late was acknowledged.

    Celery makes a class of requests for each task out of this one, with an ``on_success`` of its own that
    calls no other; so that one is wrapped as soon as it is made.
    """

    def __init_subclass__(cls, **rest: Any) -> None:
        super().__init_subclass__(**rest)
        succeeded = cls.__dict__.get("on_success")
        if succeeded is not None:
            cls.on_success = _telling(succeeded)


def _telling(succeeded: Callable[..., Any]) -> Callable[..., Any]:
    def on_success(self: Any, failed__retval__runtime: Any, **rest: Any) -> Any:
        if self.task.acks_late and not failed__retval__runtime[0]:
            # Celery leaves the acknowledgement to its event loop, so it is told of where it is made.
            self.message.ack = _then_told(self.message.ack, self)
        return succeeded(self, failed__retval__runtime, **rest)

    return on_success


def _then_told(acknowledge: Callable[..., Any], request: Any) -> Callable[..., Any]:
    def ack(*args: Any, **named: Any) -> Any:
        answer = acknowledge(*args, **named)
        announce("recorded", request.id, kind=request.name)
        return answer

    return ack


Task.Request = WitnessedRequest
