"""What is done to containers: kills, limits, the network, proxies; each seen, and undone."""

from __future__ import annotations

import asyncio
import os
import signal
import urllib.request
from pathlib import Path

import msgspec
import pytest

from capsize.core.errors import InjectionError, Missed
from capsize.core.experiment import Link
from capsize.core.platform import (
    CpuLimitable,
    Detachable,
    MemoryLimitable,
    Proxied,
    Service,
)
from capsize.faults.disconnect import Disconnect
from capsize.platforms.docker.engine import Engine
from capsize.platforms.docker.signals import send
from support.docking import Docked, found, make
from support.tiny import POSTGRES, api, worker
from support.waiting import until

pytestmark = pytest.mark.docker


async def test_the_engine_restarts_what_dies_and_times_are_true(docked: Docked) -> None:
    """A death is stamped with the moment of the engine's own event: after the kill, before it was heard of."""
    await docked.platform.up((worker(replicas=1),))
    clock = docked.platform._clock
    pid = docked.one("worker-1").pid
    assert pid is not None
    struck = clock.now()
    os.kill(pid, signal.SIGKILL)
    await until(lambda: "exited" in docked.record.states("worker-1"))
    heard = clock.now()
    gone = next(e for e in docked.record.changes("worker-1") if e.state == "exited")
    assert struck <= gone.t <= heard
    assert (gone.code, gone.pid) == (-9, pid)
    after = await docked.ready("worker-1")
    assert after.pid != pid


async def test_limits_are_kept_and_changed_while_it_runs(docked: Docked, engine: Engine) -> None:
    """A service's limits are the container's; less computing time can be had live, and given back."""
    assert isinstance(docked.platform, CpuLimitable)
    service = msgspec.structs.replace(worker(replicas=1), cpu=1.0, memory=256 << 20)
    await docked.platform.up((service,))
    container = engine.client.containers.get(found(engine, str(docked.platform.label))["containers"][0])

    def limits() -> tuple[float, int]:
        container.reload()
        host = container.attrs["HostConfig"]
        return host["CpuQuota"] / host["CpuPeriod"], host["Memory"]

    assert limits() == (1.0, 256 << 20)
    assert "0.25" in await docked.platform.limit_cpu("worker-1", 0.25)
    assert limits()[0] == 0.25
    await docked.platform.free_cpu("worker-1")
    await docked.platform.free_cpu("worker-1")
    assert limits() == (1.0, 256 << 20)


async def test_want_of_memory_kills_and_is_healed(docked: Docked, engine: Engine) -> None:
    """The kernel kills the main process, the engine restarts it, and the restart has the limit that was asked for."""
    assert isinstance(docked.platform, MemoryLimitable)
    await docked.platform.up((msgspec.structs.replace(worker(replicas=1), memory=256 << 20),))
    pid = docked.one("worker-1").pid
    told = await docked.platform.starve("worker-1", 96 << 20)
    assert "out of memory" in told
    assert docked.record.codes("worker-1") == [-9]
    assert (await docked.ready("worker-1")).pid != pid
    container = engine.client.containers.get(found(engine, str(docked.platform.label))["containers"][0])
    assert container.attrs["HostConfig"]["Memory"] == 96 << 20
    await docked.platform.feed("worker-1")
    container.reload()
    assert container.attrs["HostConfig"]["Memory"] == 256 << 20


async def test_an_instance_off_the_network_is_alone_until_it_is_put_back(docked: Docked) -> None:
    """``disconnect`` leaves the process, takes it away from everybody, and healing puts it back; twice is fine."""
    assert isinstance(docked.platform, Detachable)
    await docked.platform.up((api(),))
    before, fault = docked.one("api-1"), Disconnect()
    await fault.strike(docked.platform, ["api-1"])
    assert not docked.one("api-1").ready
    assert docked.one("api-1").pid == before.pid
    with pytest.raises(OSError, match=r"Errno|refused|timed out"):
        await asyncio.wait_for(asyncio.open_connection("127.0.0.1", before.port), 5)
    with pytest.raises(Missed):
        await fault.strike(docked.platform, ["api-1"])
    await fault.heal(docked.platform, ["api-1"])
    await fault.heal(docked.platform, ["api-1"])
    assert docked.one("api-1").ready
    _, writer = await asyncio.open_connection("127.0.0.1", before.port)
    writer.close()
    assert docked.record.states("api-1") == ["starting", "ready"]


async def test_a_kill_goes_through_a_helper_where_we_may_not_signal(
    docked: Docked, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A user who may speak to the engine and is not root can kill too, and the engine restarts what died."""

    def refuse(handle: int, number: int) -> None:
        raise PermissionError("not yours")

    monkeypatch.setattr(signal, "pidfd_send_signal", refuse)
    await docked.platform.up((worker(replicas=1),))
    pid = docked.one("worker-1").pid
    await docked.platform.kill("worker-1")
    assert (await docked.ready("worker-1")).pid != pid
    assert docked.record.codes("worker-1") == [-9]


async def test_a_signal_hits_nothing_but_the_container(docked: Docked, engine: Engine) -> None:
    """A process that is not of the container is hit neither from here nor by the helper."""
    await docked.platform.up((worker(replicas=1),))
    container = engine.client.containers.get(found(engine, str(docked.platform.label))["containers"][0])
    bystander = await asyncio.create_subprocess_exec("sleep", "60")
    with pytest.raises(InjectionError, match="could not be signalled"):
        await asyncio.to_thread(send, bystander.pid, container, signal.SIGKILL)
    assert bystander.returncode is None
    bystander.kill()
    await bystander.wait()


async def test_connections_go_through_a_proxy_on_the_gateway(engine: Engine, tmp_path: Path) -> None:
    """A linked service is told the proxy's address, reaches the database by it, and nobody commands it without its token."""
    one = make(tmp_path)
    one.platform._linked = (Link(source="ask", target="postgres"),)
    assert isinstance(one.platform, Proxied)
    ask = (
        "import socket, sys; from urllib.parse import urlsplit as s; u = s(sys.argv[1])\n"
        "c = socket.create_connection((u.hostname, u.port), 5); c.sendall(bytes.fromhex('0000000804d2162f'))\n"
        "print(u.hostname, c.recv(1))\n"
    )
    inside = Service(name="ask", role="job", command=("{python}", "-c", ask, "{database_url}"))
    try:
        gateway = await one.platform.bridge()
        await one.platform.up((POSTGRES, inside))
        assert [(route.name, route.target) for route in one.platform.routes()] == [
            ("ask>postgres-1", "postgres-1")
        ]
        # PostgreSQL's answer to a wish for TLS, which it does not have here.
        assert f"{gateway} b'N'" in (one.logs / "ask.log").read_text().splitlines()
        shown = await one.platform.proxy("GET", "/proxies/ask>postgres-1")
        with pytest.raises(OSError, match=r"401|403"):
            await asyncio.to_thread(
                urllib.request.urlopen, f"{one.platform._links._process.url}/proxies", timeout=5
            )
        assert shown["listen"].startswith(f"{gateway}:")
    finally:
        await one.platform.down()
