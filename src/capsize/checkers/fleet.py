"""The instances of a run: when each was up, when it was frozen, when it died."""

from __future__ import annotations

from bisect import bisect_right
from dataclasses import dataclass, field

from capsize.checkers.derived import derived
from capsize.checkers.spans import Span, merged, shared_s
from capsize.checkers.strikes import AMBIGUOUS, DATABASES, FREEZING, Strike, on, services, strikes
from capsize.core.events import InstanceChanged, PhaseChanged, Reported, Witnessed
from capsize.core.history import History

BOOT_S = 0.1
"""No worker starts and claims a task faster than this: what is heard sooner is the last process's echo."""
KILL_S = 0.5
"""SIGKILL takes effect within this after the strike began, else it ended a graceful stop that took too long."""
SIGKILLED = frozenset({-9, 137})


@dataclass(slots=True)
class Incarnation:
    """One process of an instance: spawned at ``born``, ready at ``ready``, seen to be gone at ``gone``.

    ``died`` is the latest moment at which it can have done anything: a process killed by a strike may be
    dead for some milliseconds before its supervisor sees it.
    """

    born: float
    ready: float | None = None
    gone: float | None = None
    died: float | None = None
    on_purpose: bool = False


@dataclass(slots=True)
class Fleet:
    """Every instance's incarnations in order, its frozen stretches and its strikes."""

    incarnations: dict[str, list[Incarnation]] = field(default_factory=dict)
    frozen: dict[str, tuple[Span, ...]] = field(default_factory=dict)
    struck: dict[str, list[Strike]] = field(default_factory=dict)
    end_s: float = 0.0

    def at(self, instance: str, t: float, last_heard: float) -> Incarnation | None:
        """Return the process that a worker's run belongs to: begun at ``t``, last heard of at ``last_heard``.

        An announcement that was under way when its worker was killed is stamped after the kill, perhaps even
        after the next process was spawned. It is the old one's, unless the run was heard of again later.
        """
        line = self.incarnations.get(instance)
        if not line:
            return None
        index = bisect_right([one.born for one in line], t) - 1
        if index > 0 and last_heard < line[index].born + BOOT_S:
            index -= 1
        return line[max(index, 0)]

    def awake_s(self, instance: str, begin: float, end: float) -> float:
        """Return how many seconds of begin..end an instance was not frozen."""
        return max(0.0, end - begin) - shared_s(self.frozen.get(instance, ()), begin, end)

    def up(self, instance: str) -> tuple[Span, ...]:
        """Return when an instance was ready, frozen or not."""
        return tuple(
            (one.ready, self.end_s if one.gone is None else one.gone)
            for one in self.incarnations.get(instance, ())
            if one.ready is not None
        )

    def away(self, instance: str) -> tuple[Span, ...]:
        """Return when an instance had no ready process, from each one's end to the next one's readiness."""
        line = self.incarnations.get(instance, [])
        spans: list[Span] = []
        for number, one in enumerate(line):
            if one.gone is not None:
                back = (after.ready for after in line[number + 1 :] if after.ready is not None)
                spans.append((one.gone, next(back, self.end_s)))
        return merged(spans)

    def harmed(self, instance: str) -> tuple[Span, ...]:
        """Return when an instance was in the hands of a strike or had just died of something else.

        A strike that only took away the answer to what was done harms nothing; see ``AMBIGUOUS``.
        """
        deaths = ((one.died, one.gone) for one in self.incarnations.get(instance, ()))
        gone = [(died, gone) for died, gone in deaths if died is not None and gone is not None]
        blows = [strike for strike in self.struck.get(instance, ()) if strike.fault not in AMBIGUOUS]
        return merged([*(strike.span(self.end_s) for strike in blows), *gone])


@derived
def fleet(history: History) -> Fleet:
    """Build the instances' lives from what the platform and the strikes said."""
    made = Fleet(end_s=history.end_s)
    for event in history.of(InstanceChanged):
        _change(made.incarnations.setdefault(event.instance, []), event)
    freezes: dict[str, list[Span]] = {}
    for strike in strikes(history):
        for victim in strike.victims if strike.begun else ():
            made.struck.setdefault(victim, []).append(strike)
            if strike.fault in FREEZING:
                freezes.setdefault(victim, []).append(strike.span(made.end_s))
    made.frozen = {victim: merged(spans) for victim, spans in freezes.items()}
    _time_deaths(made, history)
    return made


def _change(line: list[Incarnation], event: InstanceChanged) -> None:
    if event.state == "starting" or not line:
        if line and line[-1].gone is None:
            line[-1].gone = event.t
        # The first word of an instance may be that it is ready, or gone: it was there before.
        line.append(Incarnation(born=event.t if event.state == "starting" else float("-inf")))
    one = line[-1]
    if event.state == "ready" and one.ready is None:
        one.ready = event.t
    elif event.state in ("exited", "stopped", "gave_up") and one.gone is None:
        one.gone, one.on_purpose = event.t, event.state == "stopped"
        one.died = event.t if event.code not in SIGKILLED else None


def _time_deaths(made: Fleet, history: History) -> None:
    """Set when each process really was dead: at the blow that killed it, or after its last word."""
    heard: dict[str, list[float]] = {}
    for event in history.of(Witnessed):
        heard.setdefault(event.worker, []).append(event.t)
    for instance, line in made.incarnations.items():
        words = heard.get(instance, [])
        for one in line:
            if one.gone is None or one.died is not None:
                continue
            blows = [s.begin for s in made.struck.get(instance, ()) if 0 <= one.gone - s.begin <= KILL_S]
            last = words[: bisect_right(words, one.gone)]
            one.died = max([blows[-1], *last[-1:]]) if blows else one.gone


@derived
def horizon(history: History) -> float:
    """Return until when the service was expected to work: the end of the last phase, before the audit.

    What comes later is the audit, whose answers are written down together at its end, and the taking down,
    in which workers still finish what they are inside of.
    """
    ends = [event.t for event in history.of(PhaseChanged) if event.what == "end"]
    if ends and len(ends) == len(history.phases):
        return ends[-1]
    return min((event.t for event in history.of(Reported)), default=history.end_s)


@derived
def database_trouble(history: History) -> tuple[Span, ...]:
    """Return when the database was, or may have been, out of the workers' reach: struck, or down by itself."""
    lives = fleet(history)
    struck = [strike.span(lives.end_s) for strike in on(history, DATABASES)]
    instances = [name for name, service in services(history).items() if service in DATABASES]
    down = [span for name in instances for span in lives.away(name)]
    return merged([*struck, *down])


@derived
def workers(history: History) -> frozenset[str]:
    """Return the instances that announced a run, and the other instances of their services."""
    heard = {event.worker for event in history.of(Witnessed)}
    known = services(history)
    kinds = {known[worker] for worker in heard if worker in known}
    return frozenset(heard | {name for name, service in known.items() if service in kinds})
