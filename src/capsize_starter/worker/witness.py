"""Announces runs to an independent witness. An instrument: it never fails a task and never holds one up for long."""

import asyncio
from collections.abc import Callable
from typing import Literal
from uuid import UUID, uuid4

import msgspec

from capsize_starter.handlers.http import HttpClient, HttpError
from capsize_starter.log import EventLog

log = EventLog("starter.witness")

BUDGET_S = 1.0
TRY_S = 0.4

Event = Literal["started", "finished", "recorded", "abandoned", "failed"]


class Announcement(msgspec.Struct, frozen=True):
    """What the witness is told, as it goes over the wire."""

    task: UUID
    event: Event
    attempt: int
    worker: str
    id: str
    """The same when it is sent again because its answer was lost."""


class Witness:
    """Sends announcements to `url`, in the order of the calls; does nothing when `url` is empty."""

    def __init__(self, url: str, worker: str) -> None:
        self._url = f"{url.rstrip('/')}/events" if url else ""
        self._worker = worker
        self._http = HttpClient(keep_alive=True)

    @property
    def present(self) -> bool:
        return bool(self._url)

    async def announce(
        self, event: Event, task: UUID, run: int, *, still: Callable[[], bool] = lambda: True
    ) -> None:
        """Tell the witness, trying again for up to a second while `still()`; then log it and go on."""
        if not self._url:
            return
        body = msgspec.json.encode(Announcement(task, event, run, self._worker, uuid4().hex))
        pause_s = 0.02
        try:
            async with asyncio.timeout(BUDGET_S):
                while still():
                    try:
                        answer = await self._http.request(
                            "POST",
                            self._url,
                            body=body,
                            headers={"content-type": "application/json"},
                            timeout_s=TRY_S,
                        )
                        if answer.status < 300:
                            return
                        reason = f"answered {answer.status}"
                    except HttpError as error:
                        reason = str(error)
                    log.debug("witness.again", task_event=event, task=task, reason=reason)
                    await asyncio.sleep(pause_s)
                    pause_s *= 2
        except TimeoutError:
            log.warning("witness.dropped", task_event=event, task=task, attempt=run)

    async def close(self) -> None:
        await self._http.close()
