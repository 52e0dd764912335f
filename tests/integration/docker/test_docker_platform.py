"""What only a platform of containers has to show; what every platform has is in ``tests/contract``."""

from __future__ import annotations

import asyncio
import os
import time
from pathlib import Path

import msgspec
import pytest

from capsize.core.errors import StartError, UsageError
from capsize.core.platform import (
    Bridged,
    Ready,
    Service,
)
from capsize.core.undo import Containers
from capsize.guardian.owner import Owner
from capsize.guardian.steps.containers import remove_containers
from capsize.load.witness import Witness
from capsize.platforms.docker import left
from capsize.platforms.docker.engine import Engine, connect
from capsize.platforms.docker.ground import clear, clear_stale
from capsize.platforms.docker.marks import OWNER, RUN, Marks
from support.docking import Docked, found, make, tiny_images
from support.tiny import POSTGRES, Recorder, api, job, worker
from support.waiting import until

pytestmark = pytest.mark.docker


def of_this_process(engine: Engine) -> set[str]:
    """Return the names of all containers, networks and volumes that bear this process as their owner."""
    client, filters = engine.client, {"label": OWNER}
    mine = f'"pid":{os.getpid()},'
    return {
        *(c.name for c in client.containers.list(all=True, filters=filters) if mine in c.labels[OWNER]),
        *(n.name for n in client.networks.list(filters=filters) if mine in n.attrs["Labels"][OWNER]),
        *(v.name for v in client.volumes.list(filters=filters) if mine in v.attrs["Labels"][OWNER]),
    }


async def test_all_that_is_made_bears_the_label_that_the_guard_was_told(
    docked: Docked, engine: Engine
) -> None:
    """Containers, network and volume are announced by their label, bear it, and are gone after ``down``."""
    await docked.platform.up((POSTGRES, job(), worker(replicas=1)))
    (step,) = docked.guard.told
    assert isinstance(step, Containers)
    assert step.label == docked.platform.label
    run = step.label.partition("=")[2]
    assert found(engine, step.label) == {
        "containers": [f"capsize-{run}-{name}" for name in ("migrate", "postgres-1", "worker-1")],
        "networks": [f"capsize-{run}"],
        "volumes": [f"capsize-{run}-postgres-1-data"],
    }
    await docked.platform.down()
    assert found(engine, step.label) == {"containers": [], "networks": [], "volumes": []}
    assert docked.guard.open == {}


async def test_the_guard_is_told_before_anything_is_made(docked: Docked, engine: Engine) -> None:
    """When the guard refuses, there is no network either."""

    def refuse(*steps: object, ttl_s: float | None = None) -> str:
        raise StartError("nobody is there to guard")

    docked.guard.before = refuse  # type: ignore[method-assign]
    with pytest.raises(StartError, match="nobody"):
        await docked.platform.up((worker(),))
    assert of_this_process(engine) == set()


async def test_the_announced_step_clears_a_run_from_any_state(docked: Docked, engine: Engine) -> None:
    """Played by the guardian, the step removes running, frozen, stopped and restarting containers alike."""
    await docked.platform.up((POSTGRES, api(), worker(replicas=3)))
    await docked.platform.pause("api-1")
    await docked.platform.stop("worker-1")
    await docked.platform.kill("worker-2")
    (step,) = docked.guard.told
    assert isinstance(step, Containers)
    await asyncio.to_thread(remove_containers, step)
    # Once more: what is gone already is fine.
    await asyncio.to_thread(remove_containers, step)
    assert found(engine, step.label) == {"containers": [], "networks": [], "volumes": []}


async def test_two_runs_side_by_side_do_not_meet(docked: Docked, engine: Engine, tmp_path: Path) -> None:
    """Names, ports and networks are each run's own; ending one leaves the other as it is."""
    other = make(tmp_path / "other")
    try:
        await asyncio.gather(docked.platform.up((api(), worker())), other.platform.up((api(), worker())))
        assert docked.platform.api_url != other.platform.api_url
        await other.platform.kill("worker-1")
        await other.ready("worker-1")
        assert docked.record.states("worker-1") == ["starting", "ready"]
        await other.platform.down()
        assert all(instance.ready for instance in docked.platform.instances())
        assert len(found(engine, str(docked.platform.label))["containers"]) == 3
    finally:
        await other.platform.down()


async def test_the_log_holds_every_line_of_every_start(docked: Docked) -> None:
    """Each start begins with a line of ours; no line is lost or doubled over a kill, and a job's is there too."""
    await docked.platform.up((job(), worker(), api()))
    for _ in range(2):
        await docked.platform.kill("worker-1")
        await docked.ready("worker-1")
    await docked.platform.down()
    lines = (docked.logs / "worker-1.log").read_text().splitlines()
    assert [line.split()[3] for line in lines if line.startswith("--- capsize: start")] == ["1", "2", "3"]
    assert len([line for line in lines if line == "worker.ready"]) == 3
    assert (docked.logs / "migrate.log").read_text().startswith("--- capsize: start 1 of migrate")


async def test_a_program_that_ends_at_once_fails_the_start_with_its_log(
    docked: Docked, engine: Engine
) -> None:
    """The message has the exit code and the last lines, and nothing is left."""
    with pytest.raises(StartError, match=r"worker-1 did not start: it ended with code 3(.|\n)*\| no luck"):
        await docked.platform.up((worker("--say", "no luck", "--exit", "3", replicas=1),))
    assert docked.platform.instances() == ()
    assert docked.platform.label is None


async def test_a_job_that_fails_ends_the_start(docked: Docked) -> None:
    """Nothing after it is started, and the record says that it exited."""
    with pytest.raises(StartError, match="migrate failed with code 4"):
        await docked.platform.up((job("--exit", "4"), worker()))
    assert docked.record.states("migrate") == ["starting", "exited"]
    assert docked.record.changes("worker-1") == []


async def test_an_image_that_is_not_there_is_named(docked: Docked) -> None:
    """A service's own image is used; the engine's word on a missing one is passed on."""
    service = msgspec.structs.replace(worker(), image="capsize-nobody-has-this:1")
    with pytest.raises(StartError, match="capsize-nobody-has-this:1"):
        await docked.platform.up((service,))


async def test_containers_reach_the_witness_on_the_gateway_and_nobody_else_does(docked: Docked) -> None:
    """What listens on the bridge's address is heard from inside, and loopback of this machine is not."""
    assert isinstance(docked.platform, Bridged)
    host = await docked.platform.bridge()
    assert await docked.platform.bridge() == host
    record = Recorder()
    async with Witness(record, docked.platform._clock, host=host) as witness:
        ask = "import sys, urllib.request as r; print(r.urlopen(sys.argv[1] + '/health', timeout=5).status)"
        inside = Service(name="ask", role="job", command=("{python}", "-c", ask, "{witness_url}"))
        docked.platform._fields = {"witness_url": witness.url}
        await docked.platform.up((inside,))
        assert "200" in (docked.logs / "ask.log").read_text().splitlines()
        with pytest.raises(OSError, match=r"Errno|refused"):
            await asyncio.open_connection("127.0.0.1", int(witness.url.rpartition(":")[2]))


async def test_instances_reach_each_other_by_name(docked: Docked) -> None:
    """``{database_url}`` and ``{api_url}`` are addresses on the network of the run; a name that is down fails soon."""
    ask = (
        "import socket, sys, time, urllib.request as r; from urllib.parse import urlsplit as s\n"
        "print(r.urlopen(sys.argv[1], timeout=5).status)\n"
        "u = s(sys.argv[2]); socket.create_connection((u.hostname, u.port), 5).close()\n"
        "began = time.monotonic()\n"
        "try: socket.getaddrinfo('worker-9', 1)\n"
        "except OSError: print('unknown', time.monotonic() - began < 5)\n"
    )
    inside = Service(name="ask", role="job", command=("{python}", "-c", ask, "{api_url}", "{database_url}"))
    await docked.platform.up((POSTGRES, api(), inside))
    assert (docked.logs / "ask.log").read_text().splitlines()[1:] == ["200", "unknown True"]


async def test_what_a_dead_run_left_is_cleared_by_the_next_and_nobody_elses(
    docked: Docked, engine: Engine
) -> None:
    """By its owner's label: a dead process of this machine; a living one's, and what has no owner, is left alone."""
    client, dead, alive, left_up = engine.client, "dead0001", "alive001", "left0001"
    mine = Owner.of(os.getpid())
    gone = msgspec.structs.replace(mine, pid=4_000_000, created=time.time())
    owners = {dead: gone, alive: mine}
    try:
        for run in (dead, alive, left_up):
            owner = {OWNER: msgspec.json.encode(owners[run]).decode()} if run in owners else {}
            client.networks.create(f"capsize-{run}", labels={RUN: run, **owner})
        await asyncio.to_thread(clear_stale, client)
        names = {n.name for n in client.networks.list(filters={"label": RUN})}
        assert f"capsize-{dead}" not in names
        assert {f"capsize-{alive}", f"capsize-{left_up}"} <= names
    finally:
        for run in (dead, alive, left_up):
            clear(client, f"{RUN}={run}")


async def test_what_was_left_up_runs_on_and_can_be_ended(engine: Engine, tmp_path: Path) -> None:
    """``leave`` lets go of a stack, which no later run clears; its folder is what it is ended by."""
    one = make(tmp_path)
    one.platform._outlives = True
    await one.platform.up((worker(replicas=1),))
    label = str(one.platform.label)
    place = one.platform.leave()
    await one.platform.down()
    try:
        await asyncio.to_thread(clear_stale, engine.client)
        assert len(found(engine, label)["containers"]) == 1
        assert left.is_left(place)
        assert one.guard.open == {}
    finally:
        await asyncio.to_thread(left.end, place)
    assert found(engine, label) == {"containers": [], "networks": [], "volumes": []}
    assert not place.exists()


async def test_down_in_the_middle_of_a_start_leaves_nothing(docked: Docked, engine: Engine) -> None:
    """An interrupted start ends with an error, and the engine has what it had before."""
    rising = asyncio.create_task(docked.platform.up((POSTGRES, worker())))
    await until(lambda: "starting" in docked.record.states("postgres-1"))
    assert len(of_this_process(engine)) == 3
    rising.cancel()
    with pytest.raises(asyncio.CancelledError):
        await rising
    assert of_this_process(engine) == set()
    assert docked.guard.open == {}


@pytest.mark.parametrize("host", ["unix:///nonexistent/docker.sock", "tcp://127.0.0.1:1", "garbage"])
def test_no_engine_is_one_clear_message(host: str, monkeypatch: pytest.MonkeyPatch) -> None:
    """It names where the engine was looked for, why it was not found, and what to do."""
    monkeypatch.setenv("DOCKER_HOST", host)
    with pytest.raises(UsageError, match="no Docker engine answers at") as raised:
        connect()
    assert host in str(raised.value)
    assert "--platform local" in str(raised.value)


async def test_what_was_on_its_way_when_capsize_died_is_cleared_too(engine: Engine) -> None:
    """An engine carries out what it was asked for although the asker is gone; the guardian looks twice."""
    marks = Marks.draw()
    clearing = asyncio.create_task(asyncio.to_thread(remove_containers, Containers(label=marks.label)))
    await asyncio.sleep(0.2)  # The first look is over, and the guardian has not come back yet.
    assert not clearing.done()
    engine.client.networks.create(marks.name(), labels=marks.labels)
    await clearing
    assert found(engine, marks.label)["networks"] == []


async def test_an_image_of_ones_own_starts_as_it_does(docked: Docked) -> None:
    """A service with an image and no command is started by the image's own command."""
    own = Service(
        name="cache", role="other", image=tiny_images().starter, ready=Ready(log=">>>"), restart=False
    )
    with pytest.raises(StartError, match="cache-1 did not start: it ended with code 0"):
        # The image's command is an interactive Python, which has nobody to speak to and ends.
        await docked.platform.up((own,))
