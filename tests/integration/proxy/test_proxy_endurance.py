"""Thousands of connections, opened, mangled and reset: the proxy's process keeps nothing of them."""

from __future__ import annotations

import asyncio
import contextlib
import random
import socket
import struct

import asyncpg
import psutil

from capsize.proxy import ProxyProcess
from support.proxying import LIMIT_S, Upstream, database_url

STARTUP = struct.pack("!II", 25, 196608) + b"user\0u\0database\0"
RESET = struct.pack("ii", 1, 0)


async def one(port: int, draw: random.Random) -> None:
    """Connect, perhaps say something, perhaps listen, and go: in order, by reset, or in the middle of a word."""
    with contextlib.suppress(ConnectionError, TimeoutError):
        reader, writer = await asyncio.open_connection("127.0.0.1", port)
        what = draw.random()
        if what < 0.6:
            data = draw.choice(
                [b"GET / HTTP/1.1\r\n\r\n", STARTUP + b"Q\0\0\0\x0bCOMMIT\0", STARTUP[:9], b"\0\0"]
            )
            writer.write(data + draw.randbytes(draw.randint(0, 2000)))
        if draw.random() < 0.5:
            async with asyncio.timeout(0.02):
                await reader.read(1000)
        if draw.random() < 0.5:
            writer.get_extra_info("socket").setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, RESET)
            writer.transport.abort()
        else:
            writer.close()


async def settled(process: ProxyProcess) -> None:
    """Wait until no connection is left."""
    async with asyncio.timeout(LIMIT_S):
        while any(proxy["connections"] for proxy in (await process.call("GET", "/proxies")).values()):  # noqa: ASYNC110 - it is another process
            await asyncio.sleep(0.05)


async def churn(process: ProxyProcess, port: int, count: int, seed: int) -> None:
    draw = random.Random(seed)
    for _ in range(count // 50):
        await asyncio.gather(*(one(port, random.Random(draw.random())) for _ in range(50)))
    await settled(process)


async def test_thousands_of_connections_leave_nothing_behind() -> None:
    """After 4,000 connections under toxics and rules the process has its descriptors and its memory back."""
    async with Upstream() as upstream, ProxyProcess() as process:
        made = await process.call("POST", "/proxies", {"name": "p", "upstream": f"127.0.0.1:{upstream.port}"})
        port = int(made["listen"].rpartition(":")[2])
        for toxic in (
            {"type": "latency", "attributes": {"latency": 5, "jitter": 5}},
            {"type": "slicer", "attributes": {"average_size": 50}, "stream": "upstream", "toxicity": 0.5},
            {"type": "reset_peer", "attributes": {"timeout": 5}, "toxicity": 0.2},
            {"type": "partition", "stream": "upstream", "toxicity": 0.1},
            {"type": "limit_data", "attributes": {"bytes": 500}, "toxicity": 0.3},
        ):
            await process.call("POST", "/proxies/p/toxics", toxic)
        for rule in (
            {
                "type": "drop",
                "match": {"command": "COMMIT"},
                "attributes": {"when": "after"},
                "probability": 0.5,
            },
            {"type": "delay", "match": {"regex": "."}, "attributes": {"delay_s": 0.02}},
        ):
            await process.call("POST", "/proxies/p/rules", rule)
        assert process.pid is not None
        watched = psutil.Process(process.pid)
        descriptors = watched.num_fds()
        await churn_and_heal(process, port, 1_000, seed=1)
        memory = watched.memory_info().rss
        await churn_and_heal(process, port, 3_000, seed=2)
        assert (await process.call("GET", "/proxies/p"))["accepted"] >= 4_000
        assert watched.num_fds() <= descriptors + 2
        assert watched.memory_info().rss < memory + 15_000_000


async def churn_and_heal(process: ProxyProcess, port: int, count: int, seed: int) -> None:
    """Churn; a partition hides the end of some connections until it is healed, as it must."""
    draw = random.Random(seed)
    for _ in range(count // 50):
        await asyncio.gather(*(one(port, random.Random(draw.random())) for _ in range(50)))
    await process.call("DELETE", "/proxies/p/toxics/partition_upstream")
    await settled(process)
    await process.call(
        "POST", "/proxies/p/toxics", {"type": "partition", "stream": "upstream", "toxicity": 0.1}
    )


async def test_a_real_server_survives_mangled_clients(postgres_port: int) -> None:
    """Garbage through the proxy reaches PostgreSQL as garbage; afterwards both serve as before."""
    async with ProxyProcess() as process:
        made = await process.call("POST", "/proxies", {"name": "p", "upstream": f"127.0.0.1:{postgres_port}"})
        port = int(made["listen"].rpartition(":")[2])
        await process.call("POST", "/proxies/p/rules", {"type": "drop", "match": {"table": "none"}})
        await churn(process, port, 300, seed=3)
        connection = await asyncpg.connect(database_url(port))
        assert await connection.fetchval("SELECT 41 + $1::int", 1) == 42
        await connection.close()
