"""The plan behind a stack by hand: what is laid for the faults that a test names."""

from __future__ import annotations

import pytest

from capsize.core.errors import UsageError
from capsize.core.experiment import Link
from capsize.core.protocols import Fault
from capsize.faults import ClockSkew, Latency
from capsize.runner.parts import Parts
from capsize.systems import Starter
from capsize.testing.laying import UNJUDGED, laid_out


def test_without_faults_nothing_is_laid() -> None:
    """A plain stack costs nothing more than it must."""
    plan = laid_out(Starter(), workers=3)
    assert plan.replicas == {"api": 1, "worker": 3}
    assert (plan.strikes, plan.links) == ((), ())
    assert not UNJUDGED & {spec.name for spec in plan.checkers}


def test_faults_on_connections_get_proxies() -> None:
    """Both of those who connect to the database go through one, and the plan stands the runner's own checks."""
    plan = laid_out(Starter(), faults=["latency"])
    assert {*plan.links} == {Link(source="api", target="postgres"), Link(source="worker", target="postgres")}
    assert Parts.of(plan).faults


@pytest.mark.parametrize(
    ("fault", "services"),
    [(ClockSkew(offset_s=60.0), {"api", "worker"}), ("disk_slow", {"api", "worker", "postgres"})],
)
def test_prepared_faults_are_laid_where_they_may_strike(fault: Fault | str, services: set[str]) -> None:
    """By the runner's own rule: a service is started ready for the faults that are aimed at it."""
    plan, starter = laid_out(Starter(), faults=[fault]), Starter()
    started = Parts.of(plan).prepared(plan.strikes, starter.services(plan.replicas, plan.settings))
    assert {one.name for one in started if one.prepared} == services


def test_an_unknown_fault_is_refused() -> None:
    """With the nearest known one."""
    with pytest.raises(UsageError, match="did you mean 'latency'"):
        laid_out(Starter(), faults=["latencyy"])


def test_the_name_of_a_fault_that_needs_fields_is_refused_with_the_way_out() -> None:
    """A clock that is off by nothing in particular can't be laid."""
    with pytest.raises(UsageError, match=r"offset_s.*capsize\.faults\.ClockSkew"):
        laid_out(Starter(), faults=["clock_skew"])


def test_a_connection_to_somebody_else_gets_its_own_proxy() -> None:
    """The fault says who is at the other end."""
    plan = laid_out(Starter(), faults=[Latency(peer="witness")])
    assert Link(source="worker", target="witness") in plan.links
