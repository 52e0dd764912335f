"""Everything that can stand in a history, one frozen type each.

``t`` is always the moment, in seconds of the run's clock, at which the event was over and written down.
"""

from __future__ import annotations

from typing import Any, Literal

import msgspec

Outcome = Literal["ok", "fail", "info"]
"""How an operation came out: took effect, certainly did not, or nobody knows (it may have)."""

StrikeStage = Literal[
    "begin", "landed", "missed", "failed", "healing", "healed", "heal_failed", "not_carried_out"
]

InstanceState = Literal["starting", "ready", "exited", "stopped", "gave_up"]

Announcement = Literal["started", "finished", "recorded", "abandoned", "failed"]

DependencyMode = Literal["ok", "slow", "fail", "hang", "refuse", "garbage"]
"""How the outside service that capsize plays behaves; ``docs/faults.md`` tells what each means."""


class Event(msgspec.Struct, frozen=True, kw_only=True, tag_field="kind", omit_defaults=True):
    """The root of all events."""

    t: float


class RunBegan(Event, frozen=True, kw_only=True, tag="run"):
    """The first line: which run this is and what made it. ``wall`` is seconds since the epoch at ``t`` 0."""

    run: str
    scenario: str
    level: int
    seed: int
    wall: float
    versions: dict[str, str] = msgspec.field(default_factory=dict)
    platform: str = ""
    system: str = ""


class RunEnded(Event, frozen=True, kw_only=True, tag="end"):
    """The last line of a run that ended in order. ``how`` is ``completed``, ``interrupted``, ``broke``,
    ``not_steady``, or ``aborted`` by a guardrail.

    ``detail`` says why when it did not complete. A history without this event was cut off (capsize died).
    """

    how: Literal["completed", "interrupted", "broke", "not_steady", "aborted"]
    detail: str = ""


class PhaseChanged(Event, frozen=True, kw_only=True, tag="phase"):
    """A phase began or ended. ``why`` tells what ended it: its condition, or its limit in time."""

    phase: str
    what: Literal["begin", "end"]
    why: str = ""


class Op(Event, frozen=True, kw_only=True, tag="op"):
    """One operation of a client on the service, recorded when its outcome is known.

    ``planned`` is when an open-loop client meant to send it (latency counts from there), ``sent`` when it
    went out; ``t`` when the answer was complete or given up. ``call`` names the operation: ``submit``,
    ``ready`` (the availability probe), ``api:<name>``. ``task`` is the id that a submission was acknowledged
    with, ``key`` its idempotency key: several ops with one key are one submission, repeated. ``content`` is what
    an acknowledged submission may be relied on to keep, field by field, as :func:`capsize.core.content.content`
    writes it; empty when the system tells nothing of it.
    """

    call: str
    client: str
    outcome: Outcome
    planned: float
    sent: float
    status: int | None = None
    key: str | None = None
    task: str | None = None
    error: str | None = None
    value: dict[str, Any] | None = None
    content: dict[str, str] = msgspec.field(default_factory=dict)


class Struck(Event, frozen=True, kw_only=True, tag="strike"):
    """One step in the life of a strike.

    ``begin`` is written before anything is done. ``landed`` means that the effect was seen (the process is
    gone, the port refuses); ``missed`` that there was nothing to hit; ``failed`` and ``heal_failed`` that
    the injection or its undoing raised. ``victims`` are instance names.

    A strike on connections has more to tell: ``links`` are those it was put on (``worker-1>postgres-1``),
    ``mechanism`` by what (``proxy``); with ``healing`` ``hits`` says how often it did something to the traffic.
    """

    strike: str
    stage: StrikeStage
    fault: str
    victims: tuple[str, ...] = ()
    detail: str = ""
    links: tuple[str, ...] = ()
    mechanism: str = ""
    hits: int | None = None


class Undone(Event, frozen=True, kw_only=True, tag="undone"):
    """The guardian had to undo what capsize should have undone itself. ``steps`` say what, in words.

    ``overdue``: its time to live was over, within the run. ``left``: it was still there when everything had been
    taken down. What could not be undone either is ``left``, and is still on the machine.
    """

    why: Literal["overdue", "left"]
    steps: tuple[str, ...]
    strike: str = ""
    left: tuple[str, ...] = ()


class InstanceChanged(Event, frozen=True, kw_only=True, tag="instance"):
    """An instance of a service changed its state. ``code`` is the exit code, negative for a signal.

    ``gave_up`` means that the supervisor stopped restarting it.
    """

    instance: str
    service: str
    state: InstanceState
    pid: int | None = None
    code: int | None = None
    detail: str = ""


class Witnessed(Event, frozen=True, kw_only=True, tag="witness"):
    """A worker's announcement, stamped when it reached the witness. See ``docs/service-contract.md``."""

    task: str
    event: Announcement
    attempt: int
    worker: str


class Called(Event, frozen=True, kw_only=True, tag="call"):
    """A call that reached the outside service which capsize plays, stamped on arrival.

    ``key`` is that of the submission whose task makes the call. ``status`` is what it was, or is going to be,
    answered ``after_s`` later; None: never, or with bytes that are no HTTP. Refused connections leave no call.
    """

    key: str
    mode: DependencyMode
    status: int | None = None
    after_s: float = 0.0


class DependencyChanged(Event, frozen=True, kw_only=True, tag="dependency"):
    """The outside service that capsize plays behaves differently from now on."""

    mode: DependencyMode


class Sample(Event, frozen=True, kw_only=True, tag="sample"):
    """What a probe saw at one look. ``began`` is when the look began; ``error`` is set when it failed.

    ``values`` maps names (unit last) to plain values; ``subject`` is an instance or service, if it is of one.
    """

    probe: str
    began: float
    subject: str = ""
    values: dict[str, Any] = msgspec.field(default_factory=dict)
    error: str | None = None


class Reported(Event, frozen=True, kw_only=True, tag="reported"):
    """What the service says of one task in the final audit, after everything was healed.

    ``status`` is ``pending``, ``running``, ``completed``, ``failed`` (which means dead-lettered),
    ``cancelled`` or ``missing`` (the service does not know it). Only acknowledged tasks are asked for.
    ``dead_lettered``: the service's dead-letter queue lists it. ``error`` is why it failed, in the service's words.
    ``content`` is what the service says that it holds of the task, as in :class:`Op`.
    """

    task: str
    status: str
    attempts: int = 0
    losses: int = 0
    dead_lettered: bool = False
    error: str = ""
    content: dict[str, str] = msgspec.field(default_factory=dict)


class Stored(Event, frozen=True, kw_only=True, tag="stored"):
    """What stands in the database of one acknowledged task after everything was healed, read beside the service.

    ``content`` is as in :class:`Op`; None: the database has no row of the task.
    """

    task: str
    content: dict[str, str] | None = None


class Noted(Event, frozen=True, kw_only=True, tag="note"):
    """A remark of capsize's own: something a reader of the run should know."""

    level: Literal["info", "warning", "error"]
    message: str


AnyEvent = (
    RunBegan
    | RunEnded
    | PhaseChanged
    | Op
    | Struck
    | Undone
    | InstanceChanged
    | Witnessed
    | Called
    | DependencyChanged
    | Sample
    | Reported
    | Stored
    | Noted
)
