"""Figures: quantiles, shares and how sure one can be of them."""

from __future__ import annotations

import math
from collections.abc import Sequence

from capsize.core.verdict import Verdict

Z_95 = 1.959964


def quantile(values: Sequence[float], share: float) -> float:
    """Return the smallest of the values that at least such a share of them does not exceed."""
    ordered = sorted(values)
    return ordered[max(0, math.ceil(len(ordered) * share) - 1)]


def wilson(hits: int, total: int) -> tuple[float, float]:
    """Return the 95% interval of a share by Wilson, which also holds near 0 and 1 and for few trials."""
    if total == 0:
        return 0.0, 1.0
    share = hits / total
    spread = Z_95**2 / total
    middle = (share + spread / 2) / (1 + spread)
    half = Z_95 / (1 + spread) * math.sqrt(share * (1 - share) / total + spread / (4 * total))
    return max(0.0, middle - half), min(1.0, middle + half)


def seconds(value: float) -> float:
    """Round a duration for a report, to tenths of a millisecond."""
    return round(value, 4)


def verdict_of(findings: Sequence[object], *, unknown: bool = False) -> Verdict:
    """Return FAIL for any finding, else UNKNOWN when the evidence is not complete, else PASS."""
    if findings:
        return Verdict.FAIL
    return Verdict.UNKNOWN if unknown else Verdict.PASS


def counted(number: int, one: str, many: str | None = None) -> str:
    """Return a number with its noun."""
    return f"{number} {one if number == 1 else many or one + 's'}"
