"""The two scenarios on connections: what every plan of theirs has, and that they run only when they are named."""

from __future__ import annotations

import msgspec
import pytest

from capsize.core.clock import MonotonicClock
from capsize.core.errors import NotSupported, UsageError
from capsize.core.experiment import Link, Spec
from capsize.core.levels import LEVELS, level
from capsize.core.platform import Proxied
from capsize.platforms.memory import MemoryPlatform
from capsize.runner.parts import Parts
from capsize.scenario import api, experiment, strike, tasks
from capsize.scenarios import SCENARIOS, STANDARD
from capsize.systems import Starter
from capsize.systems.starter_sql import TRANSACTIONS

EVERY = [(name, number) for name in ("network-partition", "commit-ambiguity") for number in LEVELS]


def test_ten_scenarios_are_standard() -> None:
    """Those two are in the catalogue and run only when they are named."""
    assert len(STANDARD) == 10
    assert not {"network-partition", "commit-ambiguity"} & set(STANDARD)
    assert {"network-partition", "commit-ambiguity"} < set(SCENARIOS)


@pytest.mark.parametrize("number", LEVELS)
def test_every_kind_of_transaction_is_struck_in_every_round(number: int) -> None:
    """By name, and claimed by name."""
    plan = SCENARIOS["commit-ambiguity"].plan(level(number), 3)
    struck = {one.id.partition(".")[0] for one in plan.strikes if one.fault.name == "lost_reply"}
    assert struck == {kind.name for kind in TRANSACTIONS}
    claimed = next(claim for claim in plan.checkers if claim.name == "disturbed")
    assert set(claimed.args["each"]) == struck
    rounds = {one.id.partition(".")[2] for one in plan.strikes if one.id.startswith("submit.")}
    for number_of in rounds:
        of_round = [one for one in plan.strikes if one.id.partition(".")[2] == number_of]
        assert len([one for one in of_round if one.fault.name == "lost_reply"]) == len(TRANSACTIONS)
    kills = [one.id for one in plan.strikes if one.fault.name == "kill_point"]
    assert any(name.startswith("kill-at-complete") for name in kills)
    assert any(name.startswith("kill-at-claim") for name in kills)


@pytest.mark.parametrize(("name", "number"), EVERY)
def test_ids_are_unique_and_end_before_the_chaos(name: str, number: int) -> None:
    """Whatever the seed; each strike is due while its phase lasts."""
    for seed in range(20):
        plan = SCENARIOS[name].plan(level(number), seed)
        ids = [one.id for one in plan.strikes]
        assert len(set(ids)) == len(ids)
        chaos = plan.phase("chaos")
        assert chaos is not None
        assert all(one.at_s + (one.for_s or 0.0) < chaos.limit_s for one in plan.strikes)


@pytest.mark.parametrize("scale", [0.1, 2.0, 10.0])
def test_any_time_scale_makes_a_plan(scale: float) -> None:
    """A strike's limit is not stretched."""
    for name in ("network-partition", "commit-ambiguity"):
        Parts.of(SCENARIOS[name].plan(level(2, time_scale=scale), 1))


@pytest.mark.parametrize("number", LEVELS)
def test_the_first_thing_that_happens_is_a_cut(number: int) -> None:
    """Of the API and of a busy worker at the same moment, for longer than a lease."""
    plan = SCENARIOS["network-partition"].plan(level(number), 5)
    first = [one for one in plan.strikes if one.id.endswith(".1")]
    assert {one.target.service for one in first} == {"api", "worker"}
    assert {one.fault.name for one in first} == {"partition"}
    assert len({one.at_s for one in first}) == 1
    assert all(one.for_s is not None and one.for_s > 3.0 for one in first)


def test_a_link_that_is_not_named_is_found_out_before_anything_starts() -> None:
    """The message says which one, and what to add."""
    plan = experiment(
        level(1),
        1,
        loads=[api(), tasks(1, seconds=0.1)],
        strikes=[strike("partition", "worker", at_s=1.0, for_s=1.0)],
    )
    with pytest.raises(UsageError, match=r"between worker and postgres.*Link\(source='worker'"):
        Parts.of(plan)
    for link in (Link(source="worker", target="postgres"), Link(source="postgres", target="worker")):
        Parts.of(msgspec.structs.replace(plan, links=(link,)))


def test_a_platform_without_proxies_can_not_run_them() -> None:
    """It is said before anything starts; the scenario is skipped."""
    parts = Parts.of(SCENARIOS["network-partition"].plan(level(1), 1))
    platform = MemoryPlatform.without(Proxied)(lambda event: None, MonotonicClock())
    with pytest.raises(NotSupported, match="Proxied"):
        parts.require(platform, Starter())


def test_links_are_part_of_the_plan() -> None:
    """A replay has them."""
    plan = SCENARIOS["commit-ambiguity"].plan(level(1), 1)
    again = msgspec.json.decode(msgspec.json.encode(plan), type=type(plan))
    assert again == plan
    assert Link(source="api", target="postgres") in again.links
    assert Spec(name="integrity") in again.probes
