"""A change of size: more or fewer instances of a service."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Annotated, Any, ClassVar

import msgspec

from capsize.core.errors import CapsizeError, HealError, InjectionError, Missed
from capsize.core.platform import Platform, Scalable

Count = Annotated[int, msgspec.Meta(ge=0)]


class Scale(msgspec.Struct, frozen=True, kw_only=True):
    """Scales the victims' service to ``to`` instances, and to ``back_to`` when healed.

    The count to go back to is part of the plan, so that healing needs no memory and may be repeated.
    Without it the service keeps its new size. Victims are instances of the service, or its name.
    """

    name: ClassVar[str] = "scale"
    requires: ClassVar[tuple[type, ...]] = (Scalable,)

    to: Count
    back_to: Count | None = None

    async def strike(self, platform: Any, victims: Sequence[str]) -> None:
        """Scale and return when the new instances are ready or the surplus ones gone.

        Raises Missed when every service has that size already.
        """
        services = [s for s in _services(platform, victims) if len(platform.instances(s)) != self.to]
        if not services:
            raise Missed(f"{', '.join(victims) or 'nothing'} is to be scaled to {self.to}: nothing to change")
        for service in services:
            await platform.scale(service, self.to)
            found = len(platform.instances(service))
            if found != self.to:
                raise InjectionError(f"{service} has {found} instances instead of {self.to}")

    async def heal(self, platform: Any, victims: Sequence[str]) -> None:
        """Scale back, if there is a count to go back to."""
        if self.back_to is None:
            return
        for service in _services(platform, victims):
            try:
                await platform.scale(service, self.back_to)
            except CapsizeError as error:
                raise HealError(f"{service} is not back at {self.back_to} instances: {error}") from error


def _services(platform: Platform, victims: Sequence[str]) -> list[str]:
    """Return the services of the victims. One that scaling took away is known by its name, ``service-7``."""
    services = {instance.name: instance.service for instance in platform.instances()}
    known = set(services.values())
    found: dict[str, None] = {}
    for victim in victims:
        stem = victim.rpartition("-")[0]
        found[services.get(victim) or (victim if victim in known else stem or victim)] = None
    return list(found)
