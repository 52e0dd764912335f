"""memory: no process grows as long as it is used."""

from __future__ import annotations

from typing import Any, ClassVar

import msgspec

from capsize.checkers.figures import counted
from capsize.checkers.fleet import fleet
from capsize.checkers.slopes import Slope, theil_sen
from capsize.checkers.spans import Span
from capsize.checkers.strikes import DATABASES, service_of
from capsize.core.events import Sample
from capsize.core.history import History
from capsize.core.verdict import Finding, Result, Verdict

MIB = 1024 * 1024


class Memory(msgspec.Struct, frozen=True, kw_only=True):
    """No process surely grew by more than ``budget_bytes_per_s`` during ``phases``, once it was warm.

    Judged is each process on its own (a restarted instance is a new one) by the Theil-Sen slope over its looks
    later than ``warm_s`` after the phase and the process began. Memory that processes share counts as nobody's
    where the platform tells it apart. A database is measured and not judged: it fills its caches on purpose,
    and starts and ends processes of its own. A process fails only when
    the whole 95% interval lies above the budget, and this makes at least ``growth_min_bytes`` over the time
    that was looked at: an allocator grows in steps, and a step is no slope.

    UNKNOWN when a service had no process with ``samples_min`` looks.
    """

    name: ClassVar[str] = "memory"

    budget_bytes_per_s: float
    growth_min_bytes: float = 2.0 * MIB
    phases: tuple[str, ...] = ("chaos",)
    warm_s: float = 3.0
    samples_min: int = 8

    def check(self, history: History) -> Result:
        """Fit a line to each process's memory."""
        looks = self._looks(history)
        slopes = {
            name: slope
            for name, points in looks.items()
            if len(points) >= self.samples_min and (slope := theil_sen(*zip(*points, strict=True)))
        }
        of = {name: service_of(history, name.partition(" (")[0]) for name in looks}
        judged = [name for name in slopes if of[name] not in DATABASES]
        grown = [name for name in judged if self._leaks(slopes[name], looks[name])]
        without = sorted(set(of.values()) - DATABASES - {of[name] for name in judged})
        findings = tuple(_finding(name, slopes[name], looks[name]) for name in grown)
        doubt = None
        if not judged or without:
            doubt = f"too few looks at the memory of {', '.join(without) or 'any process'}"
        verdict = Verdict.FAIL if findings else Verdict.UNKNOWN if doubt else Verdict.PASS
        return Result(
            checker=self.name,
            verdict=verdict,
            summary=findings[0].message
            if findings
            else doubt or self._summary({name: slopes[name] for name in judged}),
            measures=self._measures(slopes, looks),
            findings=findings,
        )

    def _looks(self, history: History) -> dict[str, list[tuple[float, float]]]:
        """Return time and bytes of each process, named ``worker-1``, and ``worker-1 (2)`` after a restart."""
        found: dict[str, list[tuple[float, float]]] = {}
        instances = fleet(history)
        spans = [span for name in self.phases if (span := history.phase(name)) is not None]
        for sample in history.of(Sample):
            value = sample.values.get("private_bytes", sample.values.get("rss_bytes"))
            if sample.probe != "resources" or sample.error is not None or value is None:
                continue
            born = [one.born for one in instances.incarnations.get(sample.subject, ())]
            number = sum(t <= sample.began for t in born)
            name = sample.subject if number <= 1 else f"{sample.subject} ({number})"
            points = found.setdefault(name, [])
            if self._warm(sample, spans, born[number - 1] if number else float("-inf")):
                points.append((sample.began, float(value)))
        return found

    def _warm(self, sample: Sample, spans: list[Span], born: float) -> bool:
        return any(max(low, born) + self.warm_s <= sample.began and sample.t <= high for low, high in spans)

    def _leaks(self, slope: Slope, points: list[tuple[float, float]]) -> bool:
        lasted = points[-1][0] - points[0][0]
        return slope.low > self.budget_bytes_per_s and slope.low * lasted >= self.growth_min_bytes

    def _measures(
        self, slopes: dict[str, Slope], looks: dict[str, list[tuple[float, float]]]
    ) -> dict[str, Any]:
        measures: dict[str, Any] = {"processes": len(slopes), "budget_bytes_per_s": self.budget_bytes_per_s}
        for name, slope in sorted(slopes.items()):
            measures[f"{name}_slope_bytes_per_s"] = round(slope.middle)
            measures[f"{name}_slope_low_bytes_per_s"] = round(slope.low)
            measures[f"{name}_slope_high_bytes_per_s"] = round(slope.high)
            measures[f"{name}_max_bytes"] = int(max(size for _, size in looks[name]))
        return measures

    def _summary(self, slopes: dict[str, Slope]) -> str:
        name, steepest = max(slopes.items(), key=lambda item: item[1].middle)
        return (
            f"{counted(len(slopes), 'process', 'processes')} stable; {name} the steepest with "
            f"{_rate(steepest)} (budget {self.budget_bytes_per_s / 1024:.0f} KiB/s)"
        )


def _rate(slope: Slope) -> str:
    low, high = slope.low / 1024, slope.high / 1024
    return f"{slope.middle / 1024:+.0f} KiB/s (95%: {low:+.0f} to {high:+.0f})"


def _finding(name: str, slope: Slope, points: list[tuple[float, float]]) -> Finding:
    hour = slope.low * 3600 / MIB / 1024
    message = f"{name} grew by {_rate(slope)}: at least {hour:.1f} GiB in an hour of this load"
    step = max(1, len(points) // 20)
    story = tuple(f"{t:8.3f} {size / MIB:.1f} MiB" for t, size in points[::step])
    return Finding(anomaly="memory", message=message, story=story)
