"""The circuit breaker's decisions."""

from datetime import UTC, datetime, timedelta
from uuid import uuid4

from hypothesis import given
from hypothesis import strategies as st

from capsize_starter.breaker import (
    Admission,
    BreakerPolicy,
    Circuit,
    admit,
    after_failure,
    after_success,
    opened,
    start_probe,
)

NOW = datetime(2026, 1, 1, tzinfo=UTC)
POLICY = BreakerPolicy(failures_max=3, open_s=10.0)
RUN, OTHER = (uuid4(), 1), (uuid4(), 1)


def failed(circuit: Circuit, times: int) -> Circuit:
    for _ in range(times):
        circuit = after_failure(circuit, OTHER, NOW, POLICY)
    return circuit


def test_it_opens_at_the_limit_and_not_before() -> None:
    """Two failures of three leave it closed; the third opens it for ten seconds."""
    assert admit(failed(Circuit(), 2), NOW, probing=False) is Admission.ALL
    circuit = failed(Circuit(), 3)
    assert (circuit.state, circuit.open_until) == ("open", NOW + timedelta(seconds=10))
    assert admit(circuit, NOW + timedelta(seconds=9.9), probing=False) is Admission.NONE
    assert admit(circuit, NOW + timedelta(seconds=10), probing=False) is Admission.PROBE


def test_a_success_forgets_the_failures_before_it() -> None:
    """Two failures, a success and two failures are not three in a row."""
    assert failed(after_success(failed(Circuit(), 2), RUN), 2).state == "closed"


def test_only_the_probe_decides_a_half_open_circuit() -> None:
    """The probe's success closes it, its failure opens it; other runs change nothing."""
    half = start_probe(failed(Circuit(), 3), RUN)
    assert admit(half, NOW, probing=True) is Admission.NONE
    assert admit(half, NOW, probing=False) is Admission.PROBE
    assert after_success(half, OTHER) == half
    assert after_failure(half, OTHER, NOW, POLICY) == half
    assert after_success(half, RUN) == Circuit()
    reopened = after_failure(half, RUN, NOW, POLICY)
    assert (reopened.state, reopened.failures, reopened.probe) == ("open", 4, None)


def test_a_late_result_does_not_move_an_open_circuit() -> None:
    """Runs that began before it opened neither close it nor keep it open for longer."""
    circuit = opened(Circuit(), NOW, POLICY)
    assert after_success(circuit, RUN) == circuit
    assert after_failure(circuit, RUN, NOW + timedelta(seconds=5), POLICY) == circuit


@given(st.lists(st.booleans(), max_size=60))
def test_closed_means_fewer_failures_in_a_row_than_the_limit(results: list[bool]) -> None:
    """For any row of results the circuit is open exactly when some three failures followed each other."""
    circuit, row, tripped = Circuit(), 0, False
    for success in results:
        circuit = after_success(circuit, RUN) if success else after_failure(circuit, RUN, NOW, POLICY)
        row = 0 if success else row + 1
        tripped = tripped or row == 3
    assert (circuit.state == "open") == tripped
