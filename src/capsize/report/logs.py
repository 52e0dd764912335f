"""The instances' logs, each line with its moment on the run's clock."""

from __future__ import annotations

import re
from bisect import bisect_left
from collections.abc import Iterable, Iterator, Mapping, Sequence
from datetime import UTC, datetime

import msgspec

from capsize.core.verdict import Finding

LINES_MAX = 24
"""So many log lines are shown beside a finding."""
NEAR_S = 0.5
"""A line so close to something in the story belongs to that moment."""
TEXT_MAX = 600
BEFORE_S, AFTER_S = 5.0, 60.0
"""A time so far outside the run is of another clock, or no time at all."""

_HEADING = re.compile(r"^--- capsize: .*\bat (\d+(?:\.\d+)?) s ---$")
_WORD = re.compile(r"[\w-]+")
_STAMP = re.compile(
    r"(\d{4}-\d\d-\d\d)[T ](\d\d:\d\d:\d\d)(?:[.,](\d{1,6}))?\d*\s*(Z|UTC|GMT|[+-]\d\d:?\d\d)?"
)


class LogLine(msgspec.Struct, frozen=True, kw_only=True):
    """One line of an instance's log. ``t`` is in seconds of the run."""

    t: float
    instance: str
    text: str


class Logs:
    """The lines of all instances in the order of their times."""

    def __init__(self, lines: Iterable[LogLine] = ()) -> None:
        self._lines = sorted(lines, key=lambda line: line.t)
        self._times = [line.t for line in self._lines]

    def __len__(self) -> int:
        return len(self._lines)

    def of_moments(self, findings: Sequence[Finding]) -> list[tuple[LogLine, ...]]:
        """Return for each finding the lines that belong to its story, in order; at most ``LINES_MAX``.

        Those within the story that name its task come first, then those nearest to a moment of it. A finding
        whose story has no times has no lines.
        """
        naming = self._naming({finding.task for finding in findings if finding.task is not None})
        return [self._of_moment(story_times(one), naming.get(one.task or "", [])) for one in findings]

    def _of_moment(self, times: list[float], naming: list[int]) -> tuple[LogLine, ...]:
        if not times:
            return ()
        first, last = times[0] - NEAR_S, times[-1] + NEAR_S
        own = [number for number in naming if first <= self._times[number] <= last][:LINES_MAX]
        far = {number: self._distance(number, times) for t in times for number in self._around(t)}
        near = sorted((gap, number) for number, gap in far.items() if gap <= NEAR_S)
        chosen = dict.fromkeys([*own, *(number for _, number in near)])
        return tuple(self._lines[number] for number in sorted(list(chosen)[:LINES_MAX]))

    def _around(self, t: float) -> range:
        """Return the lines nearest to a moment, enough of them on both sides."""
        at = bisect_left(self._times, t)
        return range(max(0, at - LINES_MAX), min(len(self._lines), at + LINES_MAX))

    def _distance(self, number: int, times: list[float]) -> float:
        at = bisect_left(times, self._times[number])
        return min(abs(self._times[number] - t) for t in times[max(0, at - 1) : at + 1])

    def _naming(self, tasks: set[str]) -> dict[str, list[int]]:
        """Return the lines that name each task, in one pass: a log may hold a hundred thousand."""
        naming: dict[str, list[int]] = {}
        for number, line in enumerate(self._lines if tasks else ()):
            for word in tasks.intersection(_WORD.findall(line.text)):
                naming.setdefault(word, []).append(number)
        return naming


def story_times(finding: Finding) -> list[float]:
    """Return the moments of a story, in order; its lines begin with their time."""
    times = []
    for line in finding.story:
        word = line.split(maxsplit=1)[:1]
        try:
            times.append(float(word[0]) if word else float("nan"))
        except ValueError:
            continue
    return sorted(t for t in times if t == t)


def read_logs(texts: Mapping[str, str], wall: float, end_s: float) -> Logs:
    """Return the lines of the logs, by instance. ``wall`` is the epoch's second at which the run began.

    A line without a time of its own happened with the last line that had one; before the first heading and
    the first time there is no telling, and such lines are left out.
    """
    return Logs(line for instance, text in texts.items() for line in _lines(instance, text, wall, end_s))


def _lines(instance: str, text: str, wall: float, end_s: float) -> Iterator[LogLine]:
    t: float | None = None
    for raw in text.splitlines():
        heading = _HEADING.match(raw)
        found = float(heading[1]) if heading else _time(raw, wall, end_s)
        t = t if found is None else found
        if t is not None and raw.strip():
            yield LogLine(t=round(t, 3), instance=instance, text=raw[:TEXT_MAX])


def _time(line: str, wall: float, end_s: float) -> float | None:
    """Return the moment that a line carries near its beginning; None for none, or one outside the run."""
    found = _STAMP.search(line[:120])
    if found is None:
        return None
    day, clock, fraction, zone = found.groups()
    offset = "+00:00" if zone in (None, "Z", "UTC", "GMT") else zone
    try:
        moment = datetime.fromisoformat(f"{day}T{clock}.{(fraction or '0').ljust(6, '0')}{offset}")
    except ValueError:
        return None
    t = moment.astimezone(UTC).timestamp() - wall
    return t if -BEFORE_S <= t <= end_s + AFTER_S else None
