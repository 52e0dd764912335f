"""An outside service that the system's tasks call, and that behaves badly."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Annotated, Any, ClassVar

import msgspec

from capsize.core.errors import CapsizeError, HealError
from capsize.core.events import DependencyMode
from capsize.core.platform import Dependable


class Dependency(msgspec.Struct, frozen=True, kw_only=True):
    """Makes the outside service that capsize plays answer badly, or not at all, until it is healed.

    ``fail`` answers 500, ``hang`` never, ``slow`` after ``slow_s``, ``garbage`` with bytes that are no HTTP;
    with ``refuse`` nobody listens.
    """

    name: ClassVar[str] = "dependency"
    requires: ClassVar[tuple[type, ...]] = (Dependable,)

    mode: DependencyMode
    slow_s: Annotated[float, msgspec.Meta(ge=0)] = 0.0

    async def strike(self, platform: Any, victims: Sequence[str]) -> None:
        """Let it answer so, from the next call on."""
        await platform.become(self.mode, slow_s=self.slow_s)

    async def heal(self, platform: Any, victims: Sequence[str]) -> None:
        """Let it answer well again."""
        try:
            await platform.become("ok")
        except CapsizeError as error:
            raise HealError(f"the dependency is not back: {error}") from error
