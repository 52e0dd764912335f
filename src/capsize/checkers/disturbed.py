"""disturbed: the strikes on connections met traffic, and by which mechanism."""

from __future__ import annotations

from typing import Any, ClassVar

import msgspec

from capsize.checkers.figures import counted
from capsize.checkers.strikes import Strike, strikes
from capsize.core.history import History
from capsize.core.verdict import Result, Verdict


class Disturbed(msgspec.Struct, frozen=True, kw_only=True):
    """At least ``min`` strikes on connections did something to the traffic, by the counters of whatever did it.

    ``each`` are beginnings of strikes' names (``claim`` for ``claim.1``): for each of them at least one such strike
    must have. Otherwise UNKNOWN: what never met the traffic proves nothing. A fault that could not tell its count
    counts for nothing. The measures tell the mechanisms (``proxy``, ``netem``, ``nfqueue``) and the hits.
    """

    name: ClassVar[str] = "disturbed"

    min: int = 1
    each: tuple[str, ...] = ()

    def check(self, history: History) -> Result:
        """Add the counters up."""
        on_links = [strike for strike in strikes(history) if strike.links]
        met = [strike for strike in on_links if strike.hits and strike.landed is not None]
        missing = [name for name in self.each if not any(_named(strike, name) for strike in met)]
        used = sorted({strike.mechanism for strike in met})
        summary = (
            f"{counted(len(met), 'strike')} on connections, {sum(strike.hits or 0 for strike in met)} hits by "
            f"{' and '.join(used)}"
        )
        if missing:
            summary = f"never struck: {', '.join(missing)}; so nothing is known of {'it' if len(missing) == 1 else 'them'}"
        elif len(met) < self.min:
            summary = f"{len(met)} of {counted(len(on_links), 'strike')} on connections met traffic, {self.min} needed"
        measures: dict[str, Any] = {
            "strikes": len(on_links),
            "met_traffic": len(met),
            "hits": sum(strike.hits or 0 for strike in met),
            "mechanism": ", ".join(used),
        }
        measures |= {f"hits_{name}": _hits(met, name) for name in self.each}
        return Result(
            checker=self.name,
            verdict=Verdict.UNKNOWN if missing or len(met) < self.min else Verdict.PASS,
            summary=summary,
            measures=measures,
        )


def _named(strike: Strike, name: str) -> bool:
    return strike.id.partition(".")[0] == name


def _hits(met: list[Strike], name: str) -> int:
    return sum(strike.hits or 0 for strike in met if _named(strike, name))
