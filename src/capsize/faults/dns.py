"""Names that are not resolved."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, ClassVar

import msgspec

from capsize.core.platform import NamesBreakable, NameTrouble, Preparation
from capsize.faults.told import mend_each, strike_each


class Dns(msgspec.Struct, frozen=True, kw_only=True):
    """Fails every name lookup of the victims, until it is healed: ``nxdomain``, ``servfail``, or ``hang`` without an answer.

    What is connected stays so; new connections by name fail. In a plan with this fault the services know the database,
    the API and the outside service by host names, and each instance asks a name server of its own, in a mount
    namespace of its own. That needs root and Linux, and a service that resolves by glibc or asks ``/etc/resolv.conf``.
    """

    name: ClassVar[str] = "dns"
    requires: ClassVar[tuple[type, ...]] = (NamesBreakable,)
    prepares: ClassVar[Preparation] = "names"

    how: NameTrouble = "nxdomain"

    async def strike(self, platform: Any, victims: Sequence[str]) -> str:
        """Answer their questions so and return when one was seen to fail. Raises Missed and InjectionError."""
        return await strike_each(platform, victims, lambda name: platform.break_names(name, self.how))

    async def heal(self, platform: Any, victims: Sequence[str]) -> str:
        """Answer them again and return when a name was seen to be resolved."""
        return await mend_each(platform, victims, platform.mend_names)
