"""What an action is, and the moment at which it is carried out."""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from typing import TYPE_CHECKING, ClassVar, Literal

import msgspec

from capsize.proxy.postgres.wire import Refusal

if TYPE_CHECKING:
    from capsize.proxy.link import Link
    from capsize.proxy.postgres.rule import Rule

When = Literal["before", "after"]
"""Before the statement is sent; or after the server has carried it out, and before the reply."""

SHOWN_BYTES_MAX = 4 * 1024


class Fired(msgspec.Struct, frozen=True, kw_only=True):
    """What a callback is told. ``client`` is the address of the client's socket; ``statement`` may be cut off."""

    proxy: str
    rule: str
    when: When
    statement: str
    connection: int
    client: str


Call = Callable[[Fired], Awaitable[None]]


@dataclass(slots=True)
class Moment:
    """One rule on one statement of one connection."""

    link: Link
    rule: Rule
    when: When
    text: bytes
    refusal: Refusal | None = None

    def fired(self) -> Fired:
        """Return it as a callback is told."""
        transport = self.link.client.transport
        peer = transport.get_extra_info("peername") if transport is not None else None
        return Fired(
            proxy=self.link.proxy.name,
            rule=self.rule.name,
            when=self.when,
            statement=self.text[:SHOWN_BYTES_MAX].decode("utf-8", "replace"),
            connection=self.link.number,
            client=f"{peer[0]}:{peer[1]}" if peer else "",
        )


class Action(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """The configuration of an action; its fields are the ``attributes`` of a rule."""

    name: ClassVar[str]
    keeps_reply: ClassVar[bool] = True

    @property
    def moment(self) -> When:
        """Return when it is carried out."""
        raise NotImplementedError

    async def carry_out(self, moment: Moment) -> None:
        """Do it; the statement, or its reply, waits until this returns. What it raises is counted as failed."""
        raise NotImplementedError
