"""Shapes on a real network namespace that the test made: what two programs see of each other across a wire."""

from __future__ import annotations

import asyncio
import os
import shutil
import subprocess
import sys
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

import pytest

from capsize.core.errors import InjectionError, Missed
from capsize.core.platform import Instance, Shapable
from capsize.core.undo import Run
from capsize.faults import Network
from capsize.platforms.netns import Namespace, Shape, Shaper
from capsize.platforms.netns.namespace import run
from support.engines import missing
from support.guards import RecordingGuard

HERE, THERE = "10.231.7.1", "10.231.7.2"
PORT = 7007
LIMIT_S = 20.0

ECHO = f"""
import socketserver
class Echo(socketserver.BaseRequestHandler):
    def handle(self):
        while data := self.request.recv(65536):
            self.request.sendall(data)
socketserver.ThreadingTCPServer.allow_reuse_address = True
with socketserver.ThreadingTCPServer(("{THERE}", {PORT}), Echo) as server:
    print("ready", flush=True)
    server.serve_forever()
"""
TALK = f"""
import socket, sys, time
size, times, limit = int(sys.argv[1]), int(sys.argv[2]), float(sys.argv[3])
try:
    wire = socket.create_connection(("{THERE}", {PORT}), limit)
    wire.settimeout(limit)
    began = time.monotonic()
    for _ in range(times):
        wire.sendall(b"x" * size)
        left = size
        while left:
            data = wire.recv(65536)
            if not data:
                raise ConnectionResetError
            left -= len(data)
    print(time.monotonic() - began)
except ConnectionError:
    print("reset")
except TimeoutError:
    print("silent")
except OSError as error:
    print("silent" if error.errno == 1 else repr(error))
"""


@dataclass
class Wire:
    """Two namespaces with a wire between them; an echo on the far side."""

    near: Namespace
    far: Namespace

    async def talk(self, size: int = 1, times: int = 1, limit_s: float = LIMIT_S) -> str:
        """Return the seconds of some echoes, ``reset`` or ``silent``."""
        process = await asyncio.create_subprocess_exec(
            *self.near.inside(sys.executable, "-c", TALK, str(size), str(times), str(limit_s)),
            stdout=asyncio.subprocess.PIPE,
        )
        out, _ = await process.communicate()
        return out.decode().strip()

    async def seconds(self, size: int = 1, times: int = 1) -> float:
        """Return the seconds of some echoes."""
        return float(await self.talk(size, times))


@pytest.fixture
def wire() -> Iterator[Wire]:
    """The namespaces, made and removed by the test."""
    for program in ("ip", "tc", "nft", "nsenter", "unshare"):
        if shutil.which(program) is None:
            missing(f"{program} is not installed")
    if os.geteuid() != 0:
        missing("network namespaces need root")
    near, far = (f"capsize-test-{os.getpid()}-{side}" for side in ("near", "far"))
    echo = None
    try:
        for command in (
            f"netns add {near}",
            f"netns add {far}",
            f"link add eth0 netns {near} type veth peer name eth0 netns {far}",
            f"-n {near} addr add {HERE}/24 dev eth0",
            f"-n {far} addr add {THERE}/24 dev eth0",
            f"-n {near} link set eth0 up",
            f"-n {far} link set eth0 up",
        ):
            done = subprocess.run(["ip", *command.split()], capture_output=True, text=True, check=False)
            if done.returncode:
                missing(f"ip {command} failed: {done.stderr.strip()}")
        echo = subprocess.Popen(
            Namespace.named(far).inside(sys.executable, "-c", ECHO), stdout=subprocess.PIPE, text=True
        )
        assert echo.stdout is not None
        assert echo.stdout.readline() == "ready\n"
        yield Wire(Namespace.named(near), Namespace.named(far))
    finally:
        if echo is not None:
            echo.kill()
            echo.wait()
        for name in (near, far):
            subprocess.run(["ip", "netns", "del", name], capture_output=True, check=False)


async def test_latency_makes_every_round_trip_longer(wire: Wire) -> None:
    """By netem or by NFQUEUE; and the one after the healing is as quick as before."""
    guard = RecordingGuard()
    shaper = Shaper(guard)
    used = await shaper.shape("one", wire.near, "eth0", Shape(latency_ms=60, jitter_ms=10))
    assert used == ("netem" if (await shaper.kernel()).netem else "nfqueue")
    assert guard.open
    assert await wire.seconds(times=5) >= 5 * 0.05
    with pytest.raises(InjectionError, match="disturbed already"):
        await shaper.shape("one", wire.near, "eth0", Shape(loss=0.5))
    await shaper.unshape("one")
    await shaper.unshape("one")
    assert not guard.open
    assert await wire.seconds(times=5) < 5 * 0.05


async def test_loss_and_rate_slow_a_stream_and_lose_nothing(wire: Wire) -> None:
    """TCP sends again what was dropped, and waits for a narrow line."""
    shaper = Shaper(RecordingGuard())
    plain = await wire.seconds(size=50_000)
    await shaper.shape("one", wire.near, "eth0", Shape(rate_kbit=400))
    # 400,000 bits at 400 kbit/s, less the first burst.
    assert await wire.seconds(size=50_000) > max(plain, 0.5)
    await shaper.unshape("one")
    await shaper.shape("one", wire.near, "eth0", Shape(loss=0.3))
    assert await wire.seconds(size=1, times=30) > plain
    await shaper.close()


async def test_cuts_and_resets(wire: Wire) -> None:
    """A cut is silent in each direction, a reset is heard; both are over when they are taken off."""
    shaper = Shaper(RecordingGuard())
    for cut in ("in", "out", "both"):
        assert await shaper.shape("one", wire.near, "eth0", Shape(cut=cut)) == "nft"  # type: ignore[arg-type]
        assert await wire.talk(limit_s=0.3) == "silent", cut
        await shaper.unshape("one")
    await shaper.shape("one", wire.far, "eth0", Shape(reset=True))
    assert await wire.talk(limit_s=LIMIT_S) == "reset"
    await shaper.close()
    assert await wire.seconds() < LIMIT_S


async def test_the_guards_steps_undo_everything(wire: Wire) -> None:
    """Played by somebody else, in reverse, twice: nothing of ours is left in the namespace, and packets pass."""
    guard = RecordingGuard()
    shaper = Shaper(guard)
    shape = Shape(latency_ms=40, loss=0.05, rate_kbit=1000, cut="in")
    await shaper.shape("one", wire.near, "eth0", shape)
    for _ in range(2):
        for step in reversed(guard.told):
            assert isinstance(step, Run)
            if step.gone is not None and (await run(step.gone))[0] == 0:
                assert (await run(step.argv))[0] == 0
    _, tables = await run(wire.near.inside("nft", "list", "tables"))
    _, qdiscs = await run(wire.near.inside("tc", "qdisc"))
    assert "capsize" not in tables
    assert "ca95:" not in qdiscs
    assert await wire.seconds() < LIMIT_S
    await shaper.unshape("one")


class OneInstance:
    """As much of a platform as the fault needs: one instance, whose network the wire's near end is."""

    def __init__(self, wire: Wire) -> None:
        self.wire, self.shaper = wire, Shaper(RecordingGuard())

    def instances(self, service: str | None = None) -> tuple[Instance, ...]:
        """Return it."""
        return (Instance(name="api-1", service="api", pid=1, ready=True),)

    async def shape_network(self, instance: str, **shape: Any) -> str:
        """Disturb it."""
        return await self.shaper.shape(instance, self.wire.near, "eth0", Shape(**shape))

    async def unshape_network(self, instance: str) -> None:
        """Have it as it was."""
        await self.shaper.unshape(instance)


async def test_the_fault_says_by_which_mechanism_it_struck(wire: Wire) -> None:
    """It cuts the victim off, misses who is not there, refuses to do nothing, and heals twice."""
    platform = OneInstance(wire)
    assert isinstance(platform, Shapable)
    assert await Network(cut="both").strike(platform, ("api-1",)) == "nft"
    assert await wire.talk(limit_s=0.3) == "silent"
    await Network(cut="both").heal(platform, ("api-1",))
    await Network(cut="both").heal(platform, ("api-1",))
    assert await wire.seconds() < LIMIT_S
    with pytest.raises(Missed):
        await Network(cut="both").strike(platform, ("worker-1",))
    with pytest.raises(InjectionError, match="changes nothing"):
        await Network().strike(platform, ("api-1",))


async def test_a_namespace_that_is_not_there(wire: Wire) -> None:
    """The strike fails and says why; nothing is left open with the guard."""
    guard = RecordingGuard()
    shaper = Shaper(guard)
    with pytest.raises(InjectionError):
        await shaper.shape("one", Namespace.named("capsize-no-such"), "eth0", Shape(cut="both"))
    assert not guard.open
    with pytest.raises(InjectionError, match="changes nothing"):
        await shaper.shape("one", wire.near, "eth0", Shape())
