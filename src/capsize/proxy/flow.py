"""One direction of one connection: from the side that reads, through scanner and toxics, to the side that writes."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Literal, Protocol

from capsize.proxy.side import Side, discard
from capsize.proxy.stage import Stage

if TYPE_CHECKING:
    from capsize.proxy.attached import Attached
    from capsize.proxy.link import Link

Stream = Literal["upstream", "downstream"]


@dataclass(slots=True)
class Budget:
    """The bytes that all toxics of this process hold together."""

    held: int = 0


class Scanner(Protocol):
    """Looks at the bytes of a direction before the toxics do."""

    send: Callable[[bytes], None]

    def feed(self, data: bytes) -> None:
        """Take bytes and pass them on through ``send``, now or later."""
        ...

    def eof(self) -> bool:
        """Take the half-close; False: it is kept until :meth:`Flow.pass_eof`."""
        ...


class Flow:
    """The chain of one direction. With no scanner and no toxic the bytes do not come by here at all."""

    __slots__ = (
        "_closes",
        "_eof",
        "_pausers",
        "_stages",
        "link",
        "loop",
        "scanner",
        "sink",
        "source",
        "stream",
    )

    def __init__(self, link: Link, stream: Stream, source: Side, sink: Side) -> None:
        self.link, self.stream = link, stream
        self.source, self.sink = source, sink
        self.loop: asyncio.AbstractEventLoop = link.loop
        self.scanner: Scanner | None = None
        self._stages: dict[Attached, Stage] | None = None
        self._pausers: set[object] | None = None
        self._eof = False
        self._closes = False

    @property
    def budget(self) -> Budget:
        """Return the account of held bytes."""
        return self.link.proxy.budget

    @property
    def delivered_eof(self) -> bool:
        """Return whether the half-close has gone out to the sink."""
        return self._eof

    # ------------------------------------------------------------ the chain

    def connect(self) -> None:
        """Link the chain together and let the source feed it."""
        assert self.sink.transport is not None  # noqa: S101 - connect is called when both sides are there
        write: Callable[[bytes], None] = discard if self.sink.lost or self._eof else self.sink.transport.write
        send, eof, lost = write, self._deliver_eof, self._deliver_lost
        for stage in reversed(list((self._stages or {}).values())):
            stage.send, stage.send_eof, stage.send_lost = send, eof, lost
            send, eof, lost = stage.feed, stage.eof, stage.lost
        if self._closes:
            send = discard
        if self.scanner is not None:
            self.scanner.send = send
            send = self.scanner.feed
        self.source.take(send)

    def put(self, toxics: Sequence[Attached]) -> None:
        """Make the toxics at work be these, in this order; one that went passes on what it held first."""
        stages = self._stages or {}
        for attached in tuple(stages):
            if attached not in toxics:
                stages.pop(attached).end()
        if self.link.over:
            return
        begun = []
        chain: dict[Attached, Stage] = {}
        for attached in toxics:
            stage = stages.get(attached)
            if stage is None:
                stage = attached.make(self)
                begun.append(stage)
            chain[attached] = stage
        self._stages = chain
        self.connect()
        for stage in begun:
            stage.begin()

    def changed(self, attached: Attached) -> None:
        """Let a toxic at work look at its changed configuration."""
        stage = (self._stages or {}).get(attached)
        if stage is not None:
            stage.changed()

    def eof(self) -> None:
        """Take the source's half-close."""
        if self.scanner is None or self.scanner.eof():
            self.pass_eof()

    def pass_eof(self) -> None:
        """Lead the half-close past the scanner."""
        first = self._first()
        if first is None:
            self._deliver_eof()
        else:
            first.eof()

    def lost(self) -> None:
        """Take the news that the source was reset."""
        first = self._first()
        if first is None:
            self._deliver_lost()
        else:
            first.lost()

    def stop(self) -> None:
        """Let go of everything: the connection is over."""
        for stage in (self._stages or {}).values():
            stage.stop()
        self._stages = None
        self._pausers = None
        self.link.proxy.unpaused(self)

    # ------------------------------------------------------------ what stages and scanners ask for

    def pause(self, who: object) -> None:
        """Stop reading from the source until everybody who asked for it has resumed."""
        if self._pausers is None:
            self._pausers = set()
        if not self._pausers:
            self.source.hold(True)
            self.link.proxy.paused(self)
        self._pausers.add(who)

    def resume(self, who: object) -> None:
        """Take back a pause; nothing if there was none."""
        if not self._pausers or who not in self._pausers:
            return
        self._pausers.discard(who)
        if not self._pausers:
            self.link.proxy.unpaused(self)
            self.source.hold(False)

    def close_after(self) -> None:
        """Close the whole connection when the half-close comes out at the end of the chain."""
        self._closes = True

    def last_words(self, data: bytes) -> None:
        """Send these bytes past the scanner, and close the connection behind them."""
        if self.scanner is None:
            return
        self.scanner.send(data)
        self._closes = True
        self.pass_eof()
        if not self.link.over:
            self.connect()

    # ------------------------------------------------------------

    def _first(self) -> Stage | None:
        for stage in (self._stages or {}).values():
            return stage
        return None

    def _deliver_eof(self) -> None:
        if not self._eof:
            self._eof = True
            if self._closes:
                self.link.close()
                return
            self.sink.end()
            self.link.delivered()

    def _deliver_lost(self) -> None:
        self.link.abort(reset=True)
