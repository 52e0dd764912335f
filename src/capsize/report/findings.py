"""Findings grouped for a reader: by anomaly, the first few in full."""

from __future__ import annotations

import msgspec

from capsize.core.verdict import Finding, Judgement

IN_FULL = 3
"""So many findings of one anomaly are told with their story; the rest is counted."""


class Group(msgspec.Struct, frozen=True, kw_only=True):
    """The findings of one anomaly: the first few, and how many there are in all."""

    anomaly: str
    total: int
    first: tuple[Finding, ...]

    @property
    def more(self) -> int:
        """Return how many are not told."""
        return self.total - len(self.first)


def grouped(judgement: Judgement, *, in_full: int = IN_FULL) -> tuple[Group, ...]:
    """Return the findings by anomaly, in the order in which the anomalies come up first."""
    by_anomaly: dict[str, list[Finding]] = {}
    for finding in judgement.findings:
        by_anomaly.setdefault(finding.anomaly, []).append(finding)
    return tuple(
        Group(anomaly=anomaly, total=len(found), first=tuple(found[:in_full]))
        for anomaly, found in by_anomaly.items()
    )
