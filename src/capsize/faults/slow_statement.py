"""A statement that takes its time."""

from __future__ import annotations

from typing import Annotated, Any, ClassVar, Literal

import msgspec

from capsize.faults.connections import OnStatements


class SlowStatement(OnStatements, frozen=True, kw_only=True):
    """Holds a statement, or with ``when`` ``after`` its answer, for ``delay_s`` seconds."""

    name: ClassVar[str] = "slow_statement"

    delay_s: Annotated[float, msgspec.Meta(gt=0, le=60)] = 1.0
    when: Literal["before", "after"] = "before"

    def action(self) -> tuple[str, dict[str, Any]]:
        """Return the rule that delays."""
        return "delay", {"when": self.when, "delay_s": self.delay_s}
