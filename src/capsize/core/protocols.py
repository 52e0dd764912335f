"""What the nouns can do: the small protocols that the parts of capsize meet at."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any, ClassVar, Literal, Protocol, runtime_checkable

import msgspec

from capsize.core.clock import Clock
from capsize.core.events import Event
from capsize.core.history import History
from capsize.core.platform import Dependable, Platform, Preparation
from capsize.core.system import System
from capsize.core.verdict import Result

Record = Callable[[Event], None]
"""Writes an event down; returns at once, never raises."""


class Progress(Protocol):
    """What the run knows of the tasks at this moment, for loads that wait and strikes that aim."""

    def acknowledged(self) -> frozenset[str]:
        """Return the ids of the tasks that the service accepted."""
        ...

    def over(self) -> frozenset[str]:
        """Return the ids of tasks that need no more work: recorded at the witness, or final at the service."""
        ...

    def busy(self) -> frozenset[str]:
        """Return the workers that are inside a task, by the witness."""
        ...


class Stage(Protocol):
    """A running system as the loads, probes and faults see it."""

    @property
    def clock(self) -> Clock:
        """Return the run's clock."""
        ...

    @property
    def record(self) -> Record:
        """Return the function that writes an event down."""
        ...

    @property
    def system(self) -> System:
        """Return what is tested."""
        ...

    @property
    def platform(self) -> Platform:
        """Return where it runs."""
        ...

    @property
    def progress(self) -> Progress:
        """Return what is known of the tasks so far."""
        ...

    @property
    def seed(self) -> int:
        """Return the seed that every draw comes from."""
        ...

    @property
    def auth(self) -> tuple[tuple[str, str], ...]:
        """Return the headers that authenticate capsize's user."""
        ...

    @property
    def dependency(self) -> Dependable | None:
        """Return the outside service that tasks can call, if the system can reach one."""
        ...


class Load(Protocol):
    """Who sends what at which rate. A frozen Struct whose fields are its configuration."""

    name: ClassVar[str]

    @property
    def finite(self) -> bool:
        """Return whether it ends by itself; a phase that waits for all work to be over waits for it."""
        ...

    async def run(self, stage: Stage) -> None:
        """Send until done or cancelled; what is in flight when cancelled is recorded as ``info``."""
        ...


@runtime_checkable
class Demanding(Protocol):
    """A load that not every system can be put under."""

    def lacks(self, system: System) -> str | None:
        """Return what the system lacks for it, as the rest of "it has no ..."; None when nothing."""
        ...


class Probe(Protocol):
    """One kind of look at the system. A frozen Struct whose fields are its configuration."""

    name: ClassVar[str]

    async def run(self, stage: Stage) -> None:
        """Look again and again until cancelled, and record each look."""
        ...


@runtime_checkable
class Concluding(Protocol):
    """A probe that has a last look to take, when everything was healed and no load is left."""

    async def conclude(self, stage: Stage) -> None:
        """Look once and record it."""
        ...


class Fault(Protocol):
    """How to break instances, and how to heal them. A frozen Struct whose fields are its configuration."""

    name: ClassVar[str]
    requires: ClassVar[tuple[type, ...]]

    async def strike(self, platform: Any, victims: Sequence[str]) -> str | None:
        """Break them and return when the effect was seen, with the means when there are several.

        Raises Missed and InjectionError.
        """
        ...

    async def heal(self, platform: Any, victims: Sequence[str]) -> str | None:
        """Undo it and return when the victims are back as they were, with what is worth telling, if anything.

        It may be called twice, or without a strike. Raises HealError.
        """
        ...


@runtime_checkable
class Prepared(Protocol):
    """A fault whose victims must have been started ready for it."""

    prepares: ClassVar[Preparation]


@runtime_checkable
class Aimed(Protocol):
    """A fault that is for one part of the system alone, whatever it is called there."""

    aim: ClassVar[Literal["database"]]


class Effect(msgspec.Struct, frozen=True, kw_only=True):
    """What a fault on connections did: on which, by which mechanism, and how often it touched their traffic."""

    links: tuple[str, ...]
    mechanism: str
    hits: int


@runtime_checkable
class Evident(Protocol):
    """A fault on connections between its victims and the service ``peer``, which can tell what it did.

    It is asked after it struck and before it is healed.
    """

    name: ClassVar[str]
    peer: str

    async def effect(self, platform: Any, victims: Sequence[str]) -> Effect:
        """Read the counters. Raises InjectionError."""
        ...


class Checker(Protocol):
    """One claim about a history. A frozen Struct whose fields are its configuration; pure."""

    name: ClassVar[str]

    def check(self, history: History) -> Result:
        """Judge the history. What it raises makes the claim UNKNOWN."""
        ...
