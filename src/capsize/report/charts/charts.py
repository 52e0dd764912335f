"""Everything that a page draws of one run, as plain columns."""

from __future__ import annotations

import msgspec

from capsize.core.experiment import Experiment
from capsize.core.history import History
from capsize.core.verdict import Judgement
from capsize.report.charts.answers import Answers, answers
from capsize.report.charts.lanes import Lane, lanes
from capsize.report.charts.lifelines import Lifelines, lifelines
from capsize.report.charts.strikes import StrikeRow, strike_rows
from capsize.report.charts.work import Depth, Memory, Work, depth, memory, work


class Charts(msgspec.Struct, frozen=True, kw_only=True):
    """The pictures of a run; all times are seconds since it began, up to ``end``."""

    end: float
    phases: list[tuple[str, float, float]]
    strikes: tuple[StrikeRow, ...]
    lanes: tuple[Lane, ...]
    answers: Answers
    depth: Depth
    work: Work
    memory: Memory
    lifelines: Lifelines


def charts(experiment: Experiment | None, history: History, judgement: Judgement | None) -> Charts:
    """Return the pictures of a run, as far as its history goes."""
    return Charts(
        end=round(history.end_s, 3),
        phases=_phases(history),
        strikes=strike_rows(experiment, history),
        lanes=lanes(history),
        answers=answers(history),
        depth=depth(history),
        work=work(history),
        memory=memory(history),
        lifelines=lifelines(history, judgement),
    )


def _phases(history: History) -> list[tuple[str, float, float]]:
    spans = ((name, history.phase(name)) for name in history.phases)
    return [(name, round(span[0], 3), round(span[1], 3)) for name, span in spans if span is not None]
