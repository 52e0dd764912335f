"""A long run with very many tasks, made by arithmetic: what a page must be able to carry."""

from __future__ import annotations

from capsize.core.events import (
    Event,
    InstanceChanged,
    Op,
    PhaseChanged,
    RunBegan,
    RunEnded,
    Sample,
    Struck,
    Witnessed,
)
from capsize.core.history import History

WORKERS = 8
END_S = 1800.0


def many_tasks(number: int) -> History:
    """Return a run of half an hour with ``number`` tasks; every 50th is killed once, every 1000th is lost."""
    step = (END_S - 100) / number
    events: list[Event] = [
        RunBegan(t=0.0, run="many", scenario="task-flood", level=5, seed=1, wall=1e9, platform="local"),
        *(_state(0.1, f"worker-{n + 1}", state) for n in range(WORKERS) for state in ("starting", "ready")),
        *(_state(0.1, "api-1", state) for state in ("starting", "ready")),
        PhaseChanged(t=1.0, phase="steady", what="begin"),
        PhaseChanged(t=5.0, phase="steady", what="end"),
        PhaseChanged(t=5.0, phase="chaos", what="begin"),
    ]
    for n in range(number):
        events += _task(n, round(10 + n * step, 4))
    for n in range(int(END_S - 20) * 10):
        t = round(5 + n / 10, 3)
        took = 0.003 + (0.4 if n % 211 == 0 else 0.0)
        ok = n % 307 != 0
        events.append(_call(t, took, "api:list", ok))
        events.append(_call(t, 0.002, "ready", ok))
    for n in range(1, int((END_S - 100) / 30)):
        events += _strike(n, 10.0 + 30 * n, f"worker-{n % WORKERS + 1}")
    events += [
        Sample(t=float(t), began=t - 0.01, probe="stats", values={"pending": t % 400, "running": 8})
        for t in range(5, int(END_S) - 20)
    ]
    events += [PhaseChanged(t=END_S - 1, phase="chaos", what="end"), RunEnded(t=END_S, how="completed")]
    return History(sorted(events, key=lambda event: event.t))


def _state(t: float, name: str, state: str, code: int | None = None) -> InstanceChanged:
    service = name.rpartition("-")[0]
    return InstanceChanged(t=t, instance=name, service=service, state=state, code=code)  # type: ignore[arg-type]


def _call(t: float, took: float, call: str, ok: bool) -> Op:
    outcome = "ok" if ok else "fail"
    return Op(t=t + took, call=call, client="api", outcome=outcome, planned=t, sent=t)  # type: ignore[arg-type]


def _task(n: int, t: float) -> list[Event]:
    task, worker = f"00000000-0000-7000-8000-{n:012d}", f"worker-{n % WORKERS + 1}"
    events: list[Event] = [
        Op(
            t=t,
            call="submit",
            client="tasks",
            outcome="ok",
            planned=t,
            sent=t - 0.004,
            key=f"k{n}",
            task=task,
        )
    ]
    if n % 1000 == 999:
        return events
    attempt = 1
    if n % 50 == 0:
        events += [
            Witnessed(t=t + 0.5, task=task, event="started", attempt=1, worker=worker),
            Witnessed(t=t + 0.9, task=task, event="abandoned", attempt=1, worker=worker),
        ]
        attempt = 2
    begin = t + 1.0 + (n % 7) / 5
    return [
        *events,
        Witnessed(t=begin, task=task, event="started", attempt=attempt, worker=worker),
        Witnessed(t=begin + 0.3, task=task, event="finished", attempt=attempt, worker=worker),
        Witnessed(t=begin + 0.31, task=task, event="recorded", attempt=attempt, worker=worker),
    ]


def _strike(n: int, t: float, victim: str) -> list[Event]:
    return [
        Struck(t=t, strike=f"s{n}", stage="begin", fault="kill", victims=(victim,)),
        _state(t + 0.01, victim, "exited", -9),
        Struck(t=t + 0.02, strike=f"s{n}", stage="landed", fault="kill", victims=(victim,)),
        _state(t + 0.1, victim, "starting"),
        _state(t + 0.6, victim, "ready"),
        Struck(t=t + 0.7, strike=f"s{n}", stage="healed", fault="kill", victims=(victim,)),
    ]
