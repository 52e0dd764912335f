"""One suite for every platform: what a runner and a fault may rely on."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest

from capsize.core.clock import MonotonicClock
from capsize.core.errors import InjectionError, Missed, UsageError
from capsize.core.platform import Instance, Killable, Pausable, Queryable, Scalable, Startable
from capsize.core.sessions import Connectable
from capsize.platforms.docker.platform import DockerPlatform
from capsize.platforms.local import LocalPlatform
from capsize.platforms.memory import MemoryPlatform
from support.docking import need_docker, tiny_images
from support.engines import need_postgres
from support.tiny import POSTGRES, Recorder, api, job, worker
from support.waiting import until

SERVICES = (POSTGRES, job(), api(), worker())


@dataclass
class Stack:
    """A platform with the services of this suite up, and what it recorded."""

    platform: Any
    record: Recorder

    def one(self, name: str) -> Instance:
        """Return an instance by name."""
        return next(i for i in self.platform.instances() if i.name == name)

    async def ready(self, name: str) -> Instance:
        """Wait until an instance is ready."""
        await until(lambda: self.one(name).ready)
        return self.one(name)


@pytest.fixture(params=["local", "memory", pytest.param("docker", marks=pytest.mark.docker)])
def platform(request: pytest.FixtureRequest, tmp_path: Path) -> tuple[Any, Recorder]:
    """A platform that has started nothing yet, and its record."""
    record = Recorder()
    if request.param == "memory":
        return MemoryPlatform(record, MonotonicClock(), rows=[{"one": 1}]), record
    if request.param == "docker":
        engine = need_docker()
        images = tiny_images()
        return DockerPlatform(
            tmp_path / "logs", record, MonotonicClock(), {}, engine=engine, images=images
        ), record
    need_postgres()
    return LocalPlatform(tmp_path / "logs", record, MonotonicClock(), {}), record


@pytest.fixture
async def stack(platform: tuple[Any, Recorder]) -> AsyncIterator[Stack]:
    """The services of this suite, up."""
    under, record = platform
    await under.up(SERVICES)
    try:
        yield Stack(under, record)
    finally:
        await under.down()


async def test_up_brings_everything_up_in_order(stack: Stack) -> None:
    """After ``up`` all instances are ready; a job ran before the services after it and is no instance."""
    names = [instance.name for instance in stack.platform.instances()]
    assert names == ["postgres-1", "api-1", "worker-1", "worker-2"]
    assert all(instance.ready and instance.pid for instance in stack.platform.instances())
    assert stack.record.states("migrate") == ["starting", "stopped"]
    order = [e.instance for e in stack.record.events if getattr(e, "state", "") in ("ready", "stopped")]
    assert order[:3] == ["postgres-1", "migrate", "api-1"]
    assert stack.platform.api_url == f"http://127.0.0.1:{stack.one('api-1').port}"
    assert str(stack.one("postgres-1").port) in stack.platform.database_url


async def test_it_has_the_abilities(stack: Stack) -> None:
    """Both platforms have every ability that the faults for processes ask for."""
    for ability in (Killable, Startable, Pausable, Scalable, Queryable, Connectable):
        assert isinstance(stack.platform, ability)


@pytest.mark.parametrize("name", ["api-1", "worker-2", "postgres-1"])
async def test_a_killed_instance_comes_back(stack: Stack, name: str) -> None:
    """After ``kill`` the process is gone, and the restart policy starts another one with the same address."""
    before = stack.one(name)
    await stack.platform.kill(name)
    assert stack.one(name).pid != before.pid
    after = await stack.ready(name)
    assert (after.name, after.port) == (before.name, before.port)
    assert after.pid not in (None, before.pid)
    assert stack.record.states(name) == ["starting", "ready", "exited", "starting", "ready"]
    assert stack.record.codes(name) == [-9]


async def test_a_terminated_instance_ends_in_order_and_comes_back(stack: Stack) -> None:
    """``terminate`` lets an instance end by itself, with its own exit code; the restart policy applies."""
    await stack.platform.terminate("worker-1")
    await stack.ready("worker-1")
    assert stack.record.states("worker-1") == ["starting", "ready", "exited", "starting", "ready"]
    assert stack.record.codes("worker-1") == [0]


@pytest.mark.parametrize("hard", [False, True])
async def test_a_stopped_instance_stays_down_until_start(stack: Stack, hard: bool) -> None:
    """``stop`` overrules the restart policy; ``start`` returns when it is ready, and may be repeated."""
    await stack.platform.stop("worker-1", hard=hard)
    assert stack.one("worker-1").pid is None
    await asyncio.sleep(0.3)  # Longer than the restart delay: nothing must come.
    assert stack.record.states("worker-1")[-1] == "stopped"
    assert stack.record.codes("worker-1") == [-9 if hard else 0]
    await stack.platform.start("worker-1")
    pid = stack.one("worker-1").pid
    assert stack.one("worker-1").ready
    await stack.platform.start("worker-1")
    assert stack.one("worker-1").pid == pid


async def test_stop_cuts_a_restart_short(stack: Stack) -> None:
    """An instance that is stopped while it waits for its restart does not come back."""
    await stack.platform.kill("worker-1")
    await stack.platform.stop("worker-1")
    await asyncio.sleep(0.3)
    assert stack.record.states("worker-1")[-1] == "stopped"
    assert stack.one("worker-1").pid is None


async def test_nothing_to_hit_is_a_miss(stack: Stack) -> None:
    """Harming an instance that is down raises Missed, so that the strike is no evidence."""
    await stack.platform.stop("worker-1")
    for harm in (stack.platform.kill, stack.platform.terminate, stack.platform.pause):
        with pytest.raises(Missed):
            await harm("worker-1")


@pytest.mark.parametrize("name", ["api-1", "postgres-1"])
async def test_a_frozen_instance_is_not_ready_until_it_goes_on(stack: Stack, name: str) -> None:
    """``pause`` keeps the process; ``resume`` makes it ready again, and may be repeated."""
    pid = stack.one(name).pid
    await stack.platform.pause(name)
    assert not stack.one(name).ready
    assert stack.one(name).pid == pid
    await stack.platform.resume(name)
    await stack.platform.resume(name)
    assert stack.one(name).ready
    assert stack.one(name).pid == pid


async def test_a_frozen_instance_can_be_killed_and_comes_back_running(stack: Stack) -> None:
    """A freeze ends with the process."""
    await stack.platform.pause("worker-1")
    await stack.platform.kill("worker-1")
    assert (await stack.ready("worker-1")).ready


async def test_scale_adds_and_takes_the_highest_first(stack: Stack) -> None:
    """New instances are ready when ``scale`` returns; those that go are the highest, and stopped in order."""
    await stack.platform.scale("worker", 4)
    workers = stack.platform.instances("worker")
    assert [w.name for w in workers] == ["worker-1", "worker-2", "worker-3", "worker-4"]
    assert all(w.ready for w in workers)
    await stack.platform.scale("worker", 1)
    assert [w.name for w in stack.platform.instances("worker")] == ["worker-1"]
    assert stack.record.states("worker-4") == ["starting", "ready", "stopped"]
    assert stack.record.codes("worker-2") == [0]


async def test_scale_refuses_what_can_not_be_scaled(stack: Stack) -> None:
    """A database and an unknown service have no size to change."""
    for service in ("postgres", "nobody-knows"):
        with pytest.raises(UsageError):
            await stack.platform.scale(service, 2)


async def test_a_session_stays_until_it_is_ended(stack: Stack) -> None:
    """A session as superuser or as the service answers; ending it twice, or one that there never was, is fine."""
    for as_service in (False, True):
        session = await stack.platform.connect("contract", as_service=as_service)
        assert await session.run("select 1 as one") == [{"one": 1}]
    for label in ("contract", "contract", "nobody's"):
        await stack.platform.disconnect(label)


async def test_query_answers_again_after_an_outage(stack: Stack) -> None:
    """A query works, fails with InjectionError while the database is down, and works when it is back."""
    sql = "select 1 as one"
    assert await stack.platform.query(sql) == [{"one": 1}]
    await stack.platform.stop("postgres-1")
    with pytest.raises(InjectionError):
        await stack.platform.query(sql)
    await stack.platform.start("postgres-1")
    assert await stack.platform.query(sql) == [{"one": 1}]


async def test_an_unknown_instance_is_named(stack: Stack) -> None:
    """Asking for an instance that does not exist says which do."""
    with pytest.raises(UsageError, match="worker-1"):
        await stack.platform.kill("worker-77")


async def test_down_leaves_nothing_from_any_state(stack: Stack) -> None:
    """``down`` works on instances that are frozen, killed and stopped, and twice, and ``up`` after it."""
    await stack.platform.pause("postgres-1")
    await stack.platform.stop("worker-2")
    await stack.platform.kill("worker-1")
    await stack.platform.down()
    assert stack.platform.instances() == ()
    await stack.platform.down()
    await stack.platform.up((worker(),))
    assert all(instance.ready for instance in stack.platform.instances())
