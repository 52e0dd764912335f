"""The witness: an HTTP receiver to which the workers announce each run of a task.

The service under test is not believed about itself; what its handlers say here, at the moment when it
happens, is laid beside what the service says later. See ``docs/service-contract.md``.
"""

from __future__ import annotations

import asyncio
from collections import OrderedDict
from types import TracebackType
from typing import Annotated

import msgspec

from capsize.core.clock import Clock
from capsize.core.events import Announcement, Noted, Witnessed
from capsize.core.protocols import Record
from capsize.load.receiver import Receiver

HEARD_MAX = 100_000
"""The ids of so many announcements are kept; a repetition comes within about a second."""
COMPLAINTS_MAX = 20
"""So many refused announcements are noted in the history; the rest is refused without a note."""

_Name = Annotated[str, msgspec.Meta(min_length=1, max_length=256)]


class _Announced(msgspec.Struct, frozen=True):
    """The body of an announcement; fields that are not named here are passed over."""

    task: _Name
    event: Announcement
    worker: _Name
    attempt: Annotated[int, msgspec.Meta(ge=1)] | None = None
    id: str = ""


_decoder = msgspec.json.Decoder(_Announced | list[_Announced])


class Witness:
    """Receives announcements on a free port and records each as :class:`Witnessed`, stamped on arrival.

    An announcement that was heard before, by its ``id``, is acknowledged and not recorded again: its sender
    missed the first answer. ``POST {url}/events`` takes one announcement or a list of them (all or none) and answers 204 once they are
    recorded; 400 says what is wrong with a body. ``GET {url}/health`` answers 200. Use it as a context.
    """

    def __init__(self, record: Record, clock: Clock, *, host: str = "127.0.0.1", port: int = 0) -> None:
        self._record, self._clock = record, clock
        self.host, self._port = host, port
        """Where it listens; not to be changed any more once it does."""
        self._server: asyncio.Server | None = None
        self._connections: set[Receiver] = set()
        self._heard: OrderedDict[str, None] = OrderedDict()
        self._runs: dict[str, list[str]] = {}
        self.accepted = 0
        """How many announcements were recorded."""
        self.refused = 0
        """How many requests were refused."""

    async def __aenter__(self) -> Witness:
        loop = asyncio.get_running_loop()
        self._server = await loop.create_server(
            lambda: Receiver(self._answer, self._connections), self.host, self._port, backlog=1024
        )
        self._port = self._server.sockets[0].getsockname()[1]
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        assert self._server is not None  # noqa: S101
        self._server.close()
        for connection in tuple(self._connections):
            connection.abort()
        await self._server.wait_closed()

    @property
    def url(self) -> str:
        """Return the address for ``WITNESS_URL``; announcements go to ``/events`` below it."""
        return f"http://{self.host}:{self._port}"

    def _answer(self, method: str, path: str, body: bytes) -> tuple[int, str]:
        if path == "/events":
            if method != "POST":
                return 405, "announcements are sent with POST\n"
            return self._take(body)
        if path == "/health" and method in ("GET", "HEAD"):
            return 200, "ok\n"
        return 404, "the witness knows POST /events and GET /health\n"

    def _take(self, body: bytes) -> tuple[int, str]:
        now = self._clock.now()
        try:
            announced = _decoder.decode(body)
        except (msgspec.DecodeError, UnicodeDecodeError) as error:
            return 400, self._complain(now, str(error), body)
        for one in announced if isinstance(announced, list) else (announced,):
            if self._again(one.id):
                continue
            attempt = one.attempt or self._count(one)
            self._record(Witnessed(t=now, task=one.task, event=one.event, attempt=attempt, worker=one.worker))
            self.accepted += 1
        return 204, ""

    def _count(self, one: _Announced) -> int:
        """Return which run of its task an announcement is about, when its worker does not number them.

        Each ``started`` is a new run; the rest belongs to the last run that this worker began.
        """
        runs = self._runs.setdefault(one.task, [])
        if one.event == "started" or one.worker not in runs:
            runs.append(one.worker)
            return len(runs)
        return len(runs) - runs[::-1].index(one.worker)

    def _again(self, announcement: str) -> bool:
        """Tell whether an announcement of this id was heard before; without an id nobody can tell."""
        if not announcement:
            return False
        if announcement in self._heard:
            return True
        self._heard[announcement] = None
        if len(self._heard) > HEARD_MAX:
            self._heard.popitem(last=False)
        return False

    def _complain(self, now: float, error: str, body: bytes) -> str:
        self.refused += 1
        if self.refused <= COMPLAINTS_MAX:
            excerpt = body[:200].decode("utf-8", "replace")
            last = "; further ones are refused without a note" if self.refused == COMPLAINTS_MAX else ""
            message = f"the witness refused an announcement: {error}: {excerpt!r}{last}"
            self._record(Noted(t=now, level="warning", message=message))
        return f"no announcement: {error}\n"
