"""A bad network for a whole instance."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Annotated, Any, ClassVar, Literal

import msgspec

from capsize.core.errors import InjectionError
from capsize.core.platform import Shapable
from capsize.faults.victims import heal_each, hit_each, present

Millis = Annotated[int, msgspec.Meta(ge=0, le=60_000)]


class Network(msgspec.Struct, frozen=True, kw_only=True):
    """Disturbs everything that the victims send or receive, on platforms that give each its own network namespace.

    ``latency_ms`` with ``jitter_ms``, ``loss`` and ``rate_kbit`` are for what they send; ``cut`` drops what they
    send (``out``), receive (``in``) or both; ``reset`` resets whoever speaks TCP to them. By netem where the kernel
    has it, else by NFQUEUE, nftables and tbf; the report says which. Where neither will do, disturb single connections.
    """

    name: ClassVar[str] = "network"
    requires: ClassVar[tuple[type, ...]] = (Shapable,)

    latency_ms: Millis = 0
    jitter_ms: Millis = 0
    loss: Annotated[float, msgspec.Meta(ge=0, le=1)] = 0.0
    rate_kbit: Annotated[int, msgspec.Meta(ge=1)] | None = None
    cut: Literal["", "in", "out", "both"] = ""
    reset: bool = False

    async def strike(self, platform: Any, victims: Sequence[str]) -> str:
        """Disturb them all and return by which mechanism. Raises Missed when none was running."""
        used: set[str] = set()

        async def shape(name: str) -> None:
            used.add(await platform.shape_network(name, **msgspec.structs.asdict(self)))

        if self == Network():
            raise InjectionError(
                "this network fault changes nothing: give it a latency, a loss, a rate, a cut or a reset"
            )
        await hit_each([instance.name for instance in present(platform, victims)], shape)
        return ", ".join(sorted(used))

    async def heal(self, platform: Any, victims: Sequence[str]) -> None:
        """Let them have their network back."""
        await heal_each([instance.name for instance in present(platform, victims)], platform.unshape_network)
