"""Circuits as the calls show them: when the outside service was bad, and who called it meanwhile."""

from __future__ import annotations

from dataclasses import dataclass, field

from capsize.checkers.derived import derived
from capsize.checkers.lives import Life, Run, lives
from capsize.core.events import Called, DependencyChanged, DependencyMode, Op
from capsize.core.history import History

FAILING = frozenset({"fail", "hang", "garbage", "refuse"})
"""Modes in which no call can succeed."""
GRACE_S = 0.5
"""A call that was under way to the outside when the circuit opened arrives within this, or a quarter of the open time."""
TOLERANCE_S = 0.1
"""Two clocks and a commit lie between the end of a call and the opening of the circuit."""


@dataclass(frozen=True, slots=True)
class Call:
    """One call: from its arrival to the moment at which its caller had the answer, or gave up."""

    key: str
    begin: float
    end: float
    ok: bool


@dataclass(frozen=True, slots=True)
class Spell:
    """A stretch in which the outside service behaved in one way."""

    mode: DependencyMode
    begin: float
    end: float


@dataclass(frozen=True, slots=True)
class Opening:
    """What the calls of a bad spell show of the circuit.

    ``opened`` is when the failure that opened it was over, None when no silence followed any; ``failures`` are
    the failed calls up to there. ``before`` are all calls that belong to the time before, those under way
    included; ``after`` are those that came later, up to the first that succeeded.
    """

    spell: Spell
    opened: float | None
    failures: int
    before: tuple[Call, ...] = field(default=())
    after: tuple[Call, ...] = field(default=())


@derived
def spells(history: History) -> tuple[Spell, ...]:
    """Return the stretches in which the outside service was not well, in order."""
    found: list[Spell] = []
    changes = history.of(DependencyChanged)
    for number, change in enumerate(changes):
        if change.mode != "ok":
            end = changes[number + 1].t if number + 1 < len(changes) else history.end_s
            found.append(Spell(change.mode, change.t, end))
    return tuple(found)


@derived
def task_of(history: History) -> dict[str, str]:
    """Return the task of every key that was submitted."""
    return {op.key: op.task for op in history.of(Op) if op.key is not None and op.task is not None}


def callers(history: History, client: str) -> list[Life]:
    """Return the accepted tasks that a load submitted."""
    return [life for life in lives(history).acknowledged if life.client == client]


def calls(history: History, client: str, timeout_s: float) -> tuple[Call, ...]:
    """Return every call in the order of arrival; ``timeout_s`` is how long a caller waits for an answer.

    A refused connection leaves no call: while nobody listened, the failed runs of the load's tasks at the
    witness stand for them.
    """
    found = [_call(event, timeout_s) for event in history.of(Called)]
    refused = [spell for spell in spells(history) if spell.mode == "refuse"]
    for life in callers(history, client) if refused else ():
        for run in life.runs:
            if run.how == "failed" and any(spell.begin <= run.began <= spell.end for spell in refused):
                found.append(Call(life.task, run.began, _end(run), ok=False))
    return tuple(sorted(found, key=lambda call: call.begin))


def openings(
    history: History, client: str, *, failures: int, open_s: float, timeout_s: float
) -> tuple[Opening, ...]:
    """Return what the calls of each failing spell show."""
    everything = calls(history, client, timeout_s)
    return tuple(
        _opening(spell, everything, failures, open_s) for spell in spells(history) if spell.mode in FAILING
    )


def grace_s(open_s: float) -> float:
    """Return how late a call may arrive that was let go before the circuit opened."""
    return min(GRACE_S, open_s / 4)


def _call(event: Called, timeout_s: float) -> Call:
    if event.status is not None:
        ok = 200 <= event.status < 300 and event.after_s < timeout_s
        return Call(event.key, event.t, event.t + min(event.after_s, timeout_s), ok=ok)
    waited = timeout_s if event.mode == "hang" else 0.0
    return Call(event.key, event.t, event.t + waited, ok=False)


def _end(run: Run) -> float:
    return run.began if run.ended is None else run.ended


def _opening(spell: Spell, everything: tuple[Call, ...], failures: int, open_s: float) -> Opening:
    """Find the first failure that was followed by a silence.

    The first one possible is the one with the configured number; each success that was still under way when
    the spell began may have started the count anew.
    """
    within = [call for call in everything if spell.begin <= call.begin <= spell.end]
    later = [call for call in everything if call.begin > spell.end]
    ends = sorted(call.end for call in within)
    grace, hold = grace_s(open_s), open_s - TOLERANCE_S
    for number in range(failures, len(ends) + 1):
        opened = ends[number - 1]
        if opened + hold > spell.end:
            break
        if not any(opened + grace < call.begin < opened + hold for call in within):
            before = [call for call in within if call.begin <= opened + grace]
            after = within[len(before) :]
            for call in later:
                after.append(call)
                if call.ok:
                    break
            return Opening(spell, opened, number, tuple(before), tuple(after))
    return Opening(spell, None, len(ends), tuple(within))


def recovered(history: History, spell: Spell, client: str, open_s: float, timeout_s: float) -> float | None:
    """Return when calls flowed again after a spell: the first of three good ones close to each other."""
    following = [other.begin for other in spells(history) if other.begin >= spell.end]
    until = min(following, default=float("inf"))
    good = [c for c in calls(history, client, timeout_s) if c.ok and spell.end <= c.begin < until]
    close_s = open_s - TOLERANCE_S
    for first, second, third in zip(good, good[1:], good[2:], strict=False):
        if second.begin - first.end < close_s and third.begin - second.end < close_s:
            return first.begin
    return None
