"""The tasks' lifelines: all that are worth a look, and a fair sample of the others."""

from __future__ import annotations

import msgspec

from capsize.checkers.fleet import horizon
from capsize.checkers.lives import Life, Run, lives
from capsize.core.history import History
from capsize.core.verdict import Judgement

DRAWN_MAX = 1500
"""So many lifelines are drawn at most: more than a screen has rows, few enough for a page that opens at once."""
SAMPLE_MIN = 300
"""So many of them are kept for tasks that nothing befell: without these the others can't be compared."""
HOWS = ("finished", "failed", "abandoned", "exited", "open")


class Lifelines(msgspec.Struct, frozen=True, kw_only=True):
    """The drawn tasks in the order of their acceptance, as columns.

    ``runs`` is flat, five numbers a run: row, begin, end, how it ended (an index into ``HOWS``), attempt;
    ``workers`` has the index into ``names`` of each run's worker. ``marks`` maps a row to its anomalies.
    """

    total: int
    told: int
    hows: tuple[str, ...]
    ids: list[str]
    accepted: list[float | None]
    runs: list[float]
    workers: list[int]
    names: list[str]
    marks: dict[int, list[str]]


def lifelines(history: History, judgement: Judgement | None) -> Lifelines:
    """Return the lifelines: those with an anomaly first, then those that ran again, then every n-th other one."""
    marks = _marks(judgement)
    known = [life for life in lives(history) if life.acknowledged is not None or life.runs]
    known.sort(key=lambda life: _began(life))
    told = [life for life in known if life.task in marks or len(life.runs) > 1]
    chosen = _chosen(known, told, marks)
    rows = [life for life in known if life.task in chosen]
    names = sorted({run.worker for life in rows for run in life.runs})
    index = {name: number for number, name in enumerate(names)}
    columns: list[float] = []
    for row, life in enumerate(rows):
        for run in life.runs:
            columns += _run(row, run, horizon(history), history.end_s)
    return Lifelines(
        total=len(known),
        told=sum(life.task in chosen for life in told),
        hows=HOWS,
        ids=[life.task for life in rows],
        accepted=[None if life.acknowledged is None else round(life.acknowledged, 3) for life in rows],
        runs=columns,
        workers=[index[run.worker] for life in rows for run in life.runs],
        names=names,
        marks={row: marks[life.task] for row, life in enumerate(rows) if life.task in marks},
    )


def _marks(judgement: Judgement | None) -> dict[str, list[str]]:
    """Return the anomalies of each task."""
    found: dict[str, list[str]] = {}
    for finding in judgement.findings if judgement else ():
        if finding.task is not None and finding.anomaly not in found.setdefault(finding.task, []):
            found[finding.task].append(finding.anomaly)
    return found


def _chosen(known: list[Life], told: list[Life], marks: dict[str, list[str]]) -> set[str]:
    """Return the tasks to draw."""
    first = sorted(told, key=lambda life: life.task not in marks)
    keep = {life.task for life in first[: DRAWN_MAX - min(SAMPLE_MIN, len(known) - len(told))]}
    befallen = {life.task for life in told}
    others = [life.task for life in known if life.task not in befallen]
    room = DRAWN_MAX - len(keep)
    if len(others) <= room:
        return keep | set(others)
    # Evenly over the run, so that the picture has its shape.
    return keep | {others[number * len(others) // room] for number in range(room)}


def _began(life: Life) -> float:
    first = (run.began for run in life.runs)
    return life.acknowledged if life.acknowledged is not None else min(first, default=0.0)


def _run(row: int, run: Run, until: float, end_s: float) -> list[float]:
    """Return a run's five numbers; one that only the taking down of the system ended is still open."""
    end = end_s if run.ended is None else run.ended
    how = "open" if run.how == "exited" and end >= until else run.how
    return [row, round(run.began, 3), round(end, 3), HOWS.index(how if how in HOWS else "open"), run.attempt]
