"""The circuit breaker of a task type: pure decisions. Where its state is kept is not its business.

Closed: everything runs. So many failures in a row open it. Open: nothing runs. After a while one run, the probe,
is let through: half open. The probe's success closes the circuit, its failure opens it again. What runs that
were started before have to say while the circuit is not closed is not counted: they tell of the past.
"""

from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from enum import Enum
from typing import Literal
from uuid import UUID

State = Literal["closed", "open", "half_open"]


class Admission(Enum):
    """How many new runs of a type may start now."""

    ALL = "all"
    PROBE = "probe"
    NONE = "none"


@dataclass(frozen=True, slots=True)
class BreakerPolicy:
    """Opens after `failures_max` failures in a row, for `open_s` seconds."""

    failures_max: int = 5
    open_s: float = 30.0


@dataclass(frozen=True, slots=True)
class Circuit:
    """The state of one type's circuit. `probe` is the run that was let through: task id and run number."""

    state: State = "closed"
    failures: int = 0
    opened_at: datetime | None = None
    open_until: datetime | None = None
    probe: tuple[UUID, int] | None = None

    @property
    def clean(self) -> bool:
        return self.state == "closed" and self.failures == 0


def admit(circuit: Circuit, now: datetime, *, probing: bool) -> Admission:
    """Decide what may start. `probing`: the probe's run is still under way.

    A probe whose worker was lost is no longer under way, so the next one is let through.
    """
    if circuit.state == "closed":
        return Admission.ALL
    if circuit.state == "open":
        due = circuit.open_until is None or circuit.open_until <= now
        return Admission.PROBE if due else Admission.NONE
    return Admission.NONE if probing else Admission.PROBE


def start_probe(circuit: Circuit, run: tuple[UUID, int]) -> Circuit:
    """The circuit after `run` was let through as the probe."""
    return replace(circuit, state="half_open", probe=run)


def after_success(circuit: Circuit, run: tuple[UUID, int]) -> Circuit:
    """The circuit after `run` succeeded."""
    if circuit.state == "closed":
        return replace(circuit, failures=0)
    if circuit.state == "half_open" and circuit.probe == run:
        return Circuit()
    return circuit


def after_failure(circuit: Circuit, run: tuple[UUID, int], now: datetime, policy: BreakerPolicy) -> Circuit:
    """The circuit after an attempt of `run` failed."""
    if circuit.state == "closed":
        failures = circuit.failures + 1
        if failures < policy.failures_max:
            return replace(circuit, failures=failures)
        return opened(replace(circuit, failures=failures), now, policy)
    if circuit.state == "half_open" and circuit.probe == run:
        return opened(replace(circuit, failures=circuit.failures + 1), now, policy)
    return circuit


def opened(circuit: Circuit, now: datetime, policy: BreakerPolicy) -> Circuit:
    """The circuit opened now, whatever it was before."""
    return Circuit(
        state="open",
        failures=circuit.failures,
        opened_at=now,
        open_until=now + timedelta(seconds=policy.open_s),
    )
