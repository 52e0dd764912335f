"""Asking until it is known how it came out: what a client does whose answer was lost."""

from __future__ import annotations

import random
from collections.abc import Callable

from capsize.core.clock import Clock
from capsize.core.events import Outcome
from capsize.core.http import Exchange, Request
from capsize.core.protocols import Stage
from capsize.load.calls import Caller
from capsize.load.http import HttpClient

BACKOFF_S = (0.1, 1.0)
TIMEOUT_S = 5.0


class Stubborn:
    """Makes calls in the name of one client, each until it was answered with something below 500.

    Every try is one Op. Without an answer, and after a 5xx, nobody knows whether the call took effect (``info``).
    """

    def __init__(self, stage: Stage, client: HttpClient, label: str, draw: random.Random) -> None:
        self._clock: Clock = stage.clock
        self._draw = draw
        self._caller = Caller(label, client.send, stage.clock, stage.record, TIMEOUT_S)

    async def ask(
        self,
        call: str,
        request: Request,
        good: tuple[int, ...],
        *,
        key: str | None = None,
        about: str | None = None,
        made: Callable[[Exchange], str | None] = lambda exchange: None,
    ) -> Exchange:
        """Return the first definite answer; it is ok with a status of ``good``, and ``made`` then tells what task it made."""
        answer: list[Exchange] = []

        def judge(exchange: Exchange) -> tuple[Outcome, str | None]:
            response = exchange.response
            if response is None:
                return ("info" if exchange.reached else "fail"), None
            if response.status >= 500:
                return "info", None
            answer.append(exchange)
            return ("ok", made(exchange)) if response.status in good else ("fail", None)

        pause_s = BACKOFF_S[0]
        while True:
            await self._caller.call(call, request, self._clock.now(), judge, key=key, about=about)
            if answer:
                return answer[0]
            await self._clock.sleep(pause_s * self._draw.uniform(0.5, 1.0))
            pause_s = min(BACKOFF_S[1], pause_s * 2)


def status(exchange: Exchange) -> int:
    """Return the status of an answer."""
    return exchange.response.status if exchange.response is not None else 0
