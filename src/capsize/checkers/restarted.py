"""restarted: what died came back by itself."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any, ClassVar

import msgspec

from capsize.checkers.figures import counted, quantile, seconds
from capsize.checkers.fleet import Fleet, Incarnation, fleet, horizon
from capsize.checkers.strikes import services
from capsize.core.events import InstanceChanged
from capsize.core.history import History
from capsize.core.verdict import Finding, Result, Verdict


class Restarted(msgspec.Struct, frozen=True, kw_only=True):
    """Every instance of ``service`` (all services if empty) that exited was ready again ``within_s`` later.

    What was stopped on purpose is not looked at. A strike on the instance while it was coming up starts the
    time anew; dying again by itself does not. An instance whose supervisor gave up fails, whatever the time.
    UNKNOWN when nothing exited and ``required``, and for an exit less than ``within_s`` before the end of the
    last phase that had not come back by then.
    """

    name: ClassVar[str] = "restarted"

    service: str = ""
    within_s: float = 10.0
    required: bool = True

    def check(self, history: History) -> Result:
        """Time each exit to the next ready process."""
        instances, end = fleet(history), horizon(history)
        problems: list[str] = []
        times: dict[str, list[float]] = {}
        early = 0
        for name, service in sorted(services(history).items()):
            if self.service and service != self.service:
                continue
            for gone, back in _returns(instances, name, end):
                took = (end if back is None else back) - gone
                if took > self.within_s:
                    how = "not ready again" if back is None else "ready again only"
                    problems.append(f"{name} exited at {gone:.3f} s and was {how} after {took:.1f} s")
                elif back is None:
                    early += 1
                else:
                    times.setdefault(service, []).append(took)
        problems += [
            f"{event.instance}: its supervisor gave up restarting it {event.detail}".rstrip()
            for event in history.of(InstanceChanged)
            if event.state == "gave_up" and event.service == (self.service or event.service)
        ]
        return self._result(problems, times, early)

    def _result(self, problems: list[str], times: dict[str, list[float]], early: int) -> Result:
        everything = [took for some in times.values() for took in some]
        whose = f"of {self.service} " if self.service else ""
        if problems:
            verdict, summary = Verdict.FAIL, problems[0]
        elif early:
            verdict, summary = Verdict.UNKNOWN, f"{counted(early, 'instance')} had no time left to come back"
        elif not everything:
            verdict = Verdict.UNKNOWN if self.required else Verdict.PASS
            summary = f"no instance {whose}exited"
        else:
            verdict = Verdict.PASS
            summary = f"{counted(len(everything), 'exit')} {whose}made good within {max(everything):.2f} s"
        measures: dict[str, Any] = {"restarts": len(everything)}
        for service, took in sorted(times.items()):
            measures[f"{service}_restart_p50_s"] = seconds(quantile(took, 0.5))
            measures[f"{service}_restart_max_s"] = seconds(max(took))
        return Result(
            checker=self.name,
            verdict=verdict,
            summary=summary,
            measures=measures,
            findings=tuple(Finding(anomaly="restarted", message=problem) for problem in problems),
        )


def _returns(instances: Fleet, name: str, end: float) -> Iterator[tuple[float, float | None]]:
    """Yield each exit of an instance with the time at which it was ready again; None: not before the end."""
    line = instances.incarnations[name]
    since: float | None = None
    for one in line:
        if since is not None and one.ready is not None:
            yield since, one.ready
            since = None
        if one.gone is None or one.gone > end:
            continue
        if one.on_purpose:
            since = None
        elif since is None or _struck(instances, name, one):
            since = one.gone
    if since is not None:
        yield since, None


def _struck(instances: Fleet, name: str, one: Incarnation) -> bool:
    """Return whether a strike was begun on this very process."""
    gone = instances.end_s if one.gone is None else one.gone
    return any(one.born <= strike.begin <= gone for strike in instances.struck.get(name, ()))
