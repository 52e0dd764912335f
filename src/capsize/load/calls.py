"""From a request to its Op: sending, judging the outcome and recording, in one way for loads and probes."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from typing import Any

from capsize.core.clock import Clock
from capsize.core.events import Op, Outcome
from capsize.core.http import Exchange, Request, Send
from capsize.core.protocols import Record
from capsize.load.http import NOT_SENT

EXCERPT = 200
"""So many characters of an unexpected answer are kept."""

Judge = Callable[[Exchange], tuple[Outcome, str | None]]
"""Tells how an exchange came out, and the id of the task that it made."""


class Caller:
    """Makes calls in the name of one client and records each as one Op.

    What is under way when its caller is cancelled is recorded as ``info``: it may have taken effect.
    """

    def __init__(self, client: str, send: Send, clock: Clock, record: Record, timeout_s: float) -> None:
        self._client, self._send, self._clock, self._record = client, send, clock, record
        self._timeout_s = timeout_s

    async def call(
        self,
        call: str,
        request: Request,
        planned: float,
        judge: Judge,
        *,
        key: str | None = None,
        about: str | None = None,
        content: Callable[[Exchange], dict[str, str]] | None = None,
    ) -> Op:
        """Send, wait for the outcome, record it and return it. ``content`` tells what a success promises to keep.

        ``about`` is the task that the call is about: it is recorded whatever comes of it, since a call that
        nobody knows the outcome of may have done something to that task.
        """
        began = self._clock.now()
        try:
            exchange = await self._send(request, self._timeout_s)
        except asyncio.CancelledError:
            error = "given up: the load ended while the request was under way"
            self._write(
                call, planned, began, self._clock.now(), outcome="info", error=error, key=key, task=about
            )
            raise
        outcome, task = judge(exchange)
        status = None if exchange.response is None else exchange.response.status
        return self._write(
            call,
            planned,
            exchange.sent,
            exchange.done,
            outcome=outcome,
            status=status,
            key=key,
            task=about or (task if outcome == "ok" else None),
            error=None if outcome == "ok" else complaint(exchange),
            content=content(exchange) if content is not None and outcome == "ok" else {},
        )

    def shed(self, call: str, planned: float, in_flight: int, *, key: str | None = None) -> None:
        """Record a call that was due and was held back, since so many were in flight."""
        now = self._clock.now()
        error = f"{NOT_SENT}{in_flight} requests in flight"
        self._write(call, planned, now, now, outcome="fail", error=error, key=key)

    def _write(self, call: str, planned: float, sent: float, done: float, **rest: Any) -> Op:
        op = Op(t=done, call=call, client=self._client, planned=planned, sent=sent, **rest)
        self._record(op)
        return op


def expecting(request: Request, expect: tuple[int, ...]) -> Judge:
    """Return the judge of a call that must be answered with one of some statuses.

    An error inside the service (500 and the like, not 503) leaves open whether a changing call took effect.
    """

    def judge(exchange: Exchange) -> tuple[Outcome, str | None]:
        response = exchange.response
        if response is None:
            return ("info" if exchange.reached else "fail"), None
        if response.status in expect:
            return "ok", None
        in_doubt = response.status >= 500 and response.status != 503 and request.method not in ("GET", "HEAD")
        return ("info" if in_doubt else "fail"), None

    return judge


def complaint(exchange: Exchange) -> str:
    """Return why an exchange is no success: the network's trouble, or the answer's status and beginning."""
    if exchange.response is None:
        return exchange.error or "no answer"
    text = exchange.response.body[:EXCERPT].decode("utf-8", "replace")
    return f"answered {exchange.response.status}" + (f": {text}" if text else "")
