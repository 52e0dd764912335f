"""observed_circuit: the unknown type's circuit opens, and no other."""

from __future__ import annotations

from capsize.checkers.observed_circuit import ObservedCircuit
from capsize.core.events import Sample
from capsize.core.verdict import Verdict
from support.histories import Past


def _past(*states: tuple[float, str, str], tasks: int = 6) -> Past:
    """Tasks of an unknown type in the first second, and looks: when, the unknown type's circuit, the delays'."""
    past = Past()
    for number in range(tasks):
        past.submit(0.1 * number, f"t{number}", client="unknown")
    for t, unknown, delay in states:
        values = {"unknown": unknown, "delay": delay}
        past.add(Sample(t=t, probe="breaker", began=t, values=values))
    return past


def _verdict(past: Past) -> Verdict:
    return ObservedCircuit(failures=5).check(past.history()).verdict


def test_an_open_circuit_of_the_unknown_type_passes() -> None:
    """Seen open once, or half open, after five tasks were accepted."""
    assert _verdict(_past((0.2, "closed", "closed"), (1.0, "open", "closed"))) is Verdict.PASS
    assert _verdict(_past((1.0, "half_open", "closed"))) is Verdict.PASS


def test_a_circuit_that_stays_closed_is_found() -> None:
    """Three seconds after the fifth task it must have opened."""
    assert _verdict(_past((1.0, "closed", "closed"), (5.0, "closed", "closed"))) is Verdict.FAIL


def test_a_circuit_that_opens_with_it_is_found() -> None:
    """Delay tasks did not fail, so their circuit may not open."""
    assert _verdict(_past((1.0, "open", "closed"), (2.0, "open", "open"))) is Verdict.FAIL


def test_too_little_to_see_proves_nothing() -> None:
    """Fewer tasks than open a circuit, no looks, or looks that end at once."""
    assert _verdict(_past((1.0, "closed", "closed"), (9.0, "closed", "closed"), tasks=4)) is Verdict.UNKNOWN
    assert _verdict(_past()) is Verdict.UNKNOWN
    assert _verdict(_past((0.6, "closed", "closed"))) is Verdict.UNKNOWN
