"""Every toxic on real loopback sockets: it does what it says, and only to whom it is meant for."""

from __future__ import annotations

import asyncio
import socket
import struct
import time

import pytest
import uvloop

from capsize.proxy.errors import ApiError
from capsize.proxy.toxic_list import Change
from capsize.proxy.toxics.latency import Latency
from support.proxying import Upstream, add, ask, connect, how_it_ends, proxied, silent
from support.waiting import until

RESET = struct.pack("ii", 1, 0)


@pytest.fixture(params=["asyncio", "uvloop"])
def event_loop_policy(request: pytest.FixtureRequest) -> asyncio.AbstractEventLoopPolicy:
    """The proxy runs on uvloop in its own process, and on asyncio's loop inside of others."""
    return uvloop.EventLoopPolicy() if request.param == "uvloop" else asyncio.DefaultEventLoopPolicy()


async def timed(reader: asyncio.StreamReader, writer: asyncio.StreamWriter, data: bytes = b"ping") -> float:
    began = time.monotonic()
    assert await ask(reader, writer, data) == data
    return time.monotonic() - began


async def test_no_toxic_passes_bytes_half_close_and_end() -> None:
    """Without toxics all bytes arrive in order, also after the client's half-close."""
    async with Upstream() as upstream, proxied(upstream.port) as proxy:
        reader, writer = await connect(proxy)
        data = bytes(range(256)) * 20_000
        writer.write(data)
        writer.write_eof()
        assert await how_it_ends(reader) == (data, "eof")
        writer.close()
        await until(lambda: not proxy.links)


async def test_a_reset_is_carried_through_in_both_directions() -> None:
    """An RST of one peer reaches the other as an RST, not as an orderly end."""
    async with Upstream() as upstream, proxied(upstream.port) as proxy:
        reader, writer = await connect(proxy)
        await ask(reader, writer)
        writer.get_extra_info("socket").setsockopt(
            socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0)
        )
        writer.transport.abort()
        await until(lambda: upstream.ends)
        assert upstream.ends == ["reset"]
        await until(lambda: not proxy.links)


async def test_an_upstream_that_refuses_resets_the_client() -> None:
    """A client of an upstream that is not there gets a reset."""
    async with Upstream() as upstream:
        port = upstream.port
    async with proxied(port) as proxy:
        reader, _ = await connect(proxy)
        assert (await how_it_ends(reader))[1] == "reset"
        await until(lambda: not proxy.links)


async def test_latency_delays_its_direction() -> None:
    """Each way alone adds its delay, and both add up."""
    async with Upstream() as upstream, proxied(upstream.port) as proxy:
        reader, writer = await connect(proxy)
        assert await timed(reader, writer) < 0.2
        add(proxy, "latency", latency=200)
        assert await timed(reader, writer) >= 0.2
        toxic = add(proxy, "latency", "upstream", latency=200)
        assert await timed(reader, writer) >= 0.4
        assert toxic.hits == 1


async def test_latency_does_not_lower_the_rate() -> None:
    """Chunks that come while others wait go out at their own time: 20 chunks take one delay, not 20."""
    async with Upstream() as upstream, proxied(upstream.port) as proxy:
        add(proxy, "latency", latency=200, jitter=50)
        reader, writer = await connect(proxy)
        began = time.monotonic()
        sent = b""
        for number in range(20):
            chunk = bytes([number]) * 100
            sent += chunk
            writer.write(chunk)
            await asyncio.sleep(0.005)
        async with asyncio.timeout(30):
            assert await reader.readexactly(len(sent)) == sent
        assert 0.15 <= time.monotonic() - began < 2.5


async def test_removing_latency_flushes_what_it_held_in_order() -> None:
    """What was held for an hour arrives at once, in order, when the toxic is removed."""
    async with Upstream() as upstream, proxied(upstream.port) as proxy:
        reader, writer = await connect(proxy)
        add(proxy, "latency", latency=3_600_000)
        sent = b"".join(b"%05d" % number for number in range(20_000))
        writer.write(sent)
        writer.write_eof()
        await until(lambda: len(upstream.received) == len(sent))
        assert await silent(reader)
        proxy.toxics.remove("latency_downstream")
        assert await how_it_ends(reader) == (sent, "eof")


async def test_changing_latency_plans_anew_what_is_held() -> None:
    """A shorter latency frees what waited for the longer one."""
    async with Upstream() as upstream, proxied(upstream.port) as proxy:
        reader, writer = await connect(proxy)
        add(proxy, "latency", latency=3_600_000)
        writer.write(b"held")
        await until(lambda: upstream.received == b"held")
        assert await silent(reader)
        proxy.toxics.update("latency_downstream", Change(toxic=Latency(latency=10)))
        async with asyncio.timeout(30):
            assert await reader.readexactly(4) == b"held"


async def test_bandwidth_limits_the_rate() -> None:
    """100 KB at 200 KB/s take half a second; without the toxic they don't."""
    async with Upstream() as upstream, proxied(upstream.port) as proxy:
        reader, writer = await connect(proxy)
        assert await timed(reader, writer, b"x" * 100_000) < 0.4
        add(proxy, "bandwidth", rate=200)
        assert 0.4 <= await timed(reader, writer, b"x" * 100_000) < 5


async def test_bandwidth_zero_lets_nothing_through_and_loses_nothing() -> None:
    """Rate 0 stands still, holds a bounded amount, and lets go on removal."""
    async with Upstream() as upstream, proxied(upstream.port) as proxy:
        reader, writer = await connect(proxy)
        add(proxy, "bandwidth", rate=0)
        sent = b"y" * 3_000_000
        writer.write(sent)
        assert await silent(reader)
        assert proxy.budget.held < 2_000_000
        proxy.toxics.remove("bandwidth_downstream")
        async with asyncio.timeout(30):
            assert await reader.readexactly(len(sent)) == sent
        await until(lambda: proxy.budget.held == 0)


async def test_slow_close_delays_the_end() -> None:
    """The end comes late; bytes don't."""
    async with Upstream() as upstream, proxied(upstream.port) as proxy:
        toxic = add(proxy, "slow_close", delay=300)
        reader, writer = await connect(proxy)
        assert await timed(reader, writer) < 0.25
        began = time.monotonic()
        writer.write_eof()
        assert await how_it_ends(reader) == (b"", "eof")
        assert time.monotonic() - began >= 0.3
        assert toxic.hits == 1


async def test_timeout_drops_everything_and_closes() -> None:
    """Nothing comes back, the connection is closed after the time, and later chunks do not put it off."""
    async with Upstream() as upstream, proxied(upstream.port) as proxy:
        reader, writer = await connect(proxy)
        await ask(reader, writer)
        began = time.monotonic()
        add(proxy, "timeout", timeout=400)

        async def talk() -> None:
            while True:
                writer.write(b"still here")
                await asyncio.sleep(0.05)

        talking = asyncio.create_task(talk())
        received, _ = await how_it_ends(reader)
        talking.cancel()
        assert received == b""
        assert 0.4 <= time.monotonic() - began < 10


async def test_timeout_zero_closes_only_on_removal() -> None:
    """Without a time it stays silent, and removal closes at once instead of hanging."""
    async with Upstream() as upstream, proxied(upstream.port) as proxy:
        reader, writer = await connect(proxy)
        add(proxy, "timeout")
        writer.write(b"lost")
        assert await silent(reader)
        proxy.toxics.remove("timeout_downstream")
        assert (await how_it_ends(reader))[0] == b""


async def test_reset_peer_resets_on_data_and_leaves_idle_ones() -> None:
    """A live connection is reset at its next data in the direction, and not before."""
    async with Upstream() as upstream, proxied(upstream.port) as proxy:
        reader, writer = await connect(proxy)
        await ask(reader, writer)
        toxic = add(proxy, "reset_peer")
        assert await silent(reader)
        assert toxic.hits == 0
        writer.write(b"carried out")
        assert await how_it_ends(reader) == (b"", "reset")
        assert bytes(upstream.received).endswith(b"carried out")
        assert toxic.hits == 1


async def test_reset_peer_idle_waits_for_no_data() -> None:
    """With ``idle`` a live connection is reset at once."""
    async with Upstream() as upstream, proxied(upstream.port) as proxy:
        reader, writer = await connect(proxy)
        await ask(reader, writer)
        add(proxy, "reset_peer", idle=True)
        assert await how_it_ends(reader) == (b"", "reset")


async def test_slicer_cuts_and_pauses() -> None:
    """All bytes arrive, in many pieces with pauses between."""
    async with Upstream() as upstream, proxied(upstream.port) as proxy:
        reader, writer = await connect(proxy)
        toxic = add(proxy, "slicer", average_size=100, size_variation=20, delay=2_000)
        data = bytes(range(250)) * 40
        assert await timed(reader, writer, data) >= 0.1
        assert 80 <= toxic.hits <= 130


async def test_limit_data_closes_after_its_bytes() -> None:
    """Exactly the limit arrives, then the end; less than the limit does not close."""
    async with Upstream() as upstream, proxied(upstream.port) as proxy:
        toxic = add(proxy, "limit_data", bytes=10)
        reader, writer = await connect(proxy)
        assert await ask(reader, writer, b"123456") == b"123456"
        assert await silent(reader)
        assert toxic.hits == 0
        writer.write(b"7890and more")
        assert (await how_it_ends(reader))[0] == b"7890"
        assert toxic.hits == 1


async def test_limit_data_waits_for_toxics_behind_it() -> None:
    """The last bytes come out of a latency toxic before the connection is closed."""
    async with Upstream() as upstream, proxied(upstream.port) as proxy:
        add(proxy, "limit_data", bytes=4)
        add(proxy, "latency", latency=200)
        reader, writer = await connect(proxy)
        writer.write(b"12345678")
        assert (await how_it_ends(reader))[0] == b"1234"


async def test_noop_counts() -> None:
    """It changes nothing and counts chunks."""
    async with Upstream() as upstream, proxied(upstream.port) as proxy:
        toxic = add(proxy, "noop")
        reader, writer = await connect(proxy)
        assert await ask(reader, writer) == b"ping"
        assert toxic.hits == 1


async def test_stall_holds_what_was_drawn() -> None:
    """With probability 1 every chunk is held, with 0 none; nothing is lost."""
    async with Upstream() as upstream, proxied(upstream.port) as proxy:
        reader, writer = await connect(proxy)
        toxic = add(proxy, "stall", probability=0.0, hold_s=60.0)
        assert await timed(reader, writer) < 10
        assert toxic.hits == 0
        proxy.toxics.remove("stall_downstream")
        toxic = add(proxy, "stall", probability=1.0, hold_s=0.01)
        assert await timed(reader, writer) >= 0.01
        assert toxic.hits == 1


@pytest.mark.parametrize("stream", ["upstream", "downstream"])
async def test_partition_cuts_one_direction_and_loses_nothing(stream: str) -> None:
    """Bytes and end are held one way and the other way goes on; healing delivers all in order."""
    async with Upstream() as upstream, proxied(upstream.port) as proxy:
        reader, writer = await connect(proxy)
        await ask(reader, writer)
        add(proxy, "partition", stream)
        writer.write(b"sent during")
        writer.write_eof()
        assert await silent(reader)
        there = b"pingsent during" if stream == "downstream" else b"ping"
        assert upstream.received == there
        proxy.toxics.remove(f"partition_{stream}")
        assert await how_it_ends(reader) == (b"sent during", "eof")


async def test_partition_hides_a_reset_until_it_heals() -> None:
    """The server does not hear of a client's reset during the partition, and does afterwards."""
    async with Upstream() as upstream, proxied(upstream.port) as proxy:
        reader, writer = await connect(proxy)
        await ask(reader, writer)
        add(proxy, "partition", "upstream")
        link = next(iter(proxy.links))
        link.client.abort(reset=True)
        await until(lambda: link.client.lost)
        await asyncio.sleep(0.1)
        assert upstream.ends == []
        proxy.toxics.remove("partition_upstream")
        await until(lambda: upstream.ends)
        await until(lambda: not proxy.links)


async def test_blackhole_swallows_and_resets_who_lost_something() -> None:
    """Bytes are gone for good; on removal the connection that lost some is reset, the other one goes on."""
    async with Upstream() as upstream, proxied(upstream.port) as proxy:
        loser, loser_out = await connect(proxy)
        idle, idle_out = await connect(proxy)
        await ask(loser, loser_out)
        await ask(idle, idle_out)
        toxic = add(proxy, "blackhole", "upstream")
        loser_out.write(b"gone")
        await until(lambda: toxic.hits == 1)
        assert b"gone" not in upstream.received
        proxy.toxics.remove("blackhole_upstream")
        assert await how_it_ends(loser) == (b"", "reset")
        assert await ask(idle, idle_out) == b"ping"


async def test_toxicity_chooses_the_same_connections_for_the_same_seed() -> None:
    """Half of the connections are hit, the same ones in a second proxy with the same seed."""

    async def chosen() -> list[bool]:
        async with Upstream() as upstream, proxied(upstream.port) as proxy:
            toxic = add(proxy, "noop", toxicity=0.5)
            hit = []
            for _ in range(30):
                reader, writer = await connect(proxy)
                before = toxic.hits
                await ask(reader, writer)
                hit.append(toxic.hits > before)
                writer.close()
            return hit

    first = await chosen()
    assert first == await chosen()
    assert 5 <= sum(first) <= 25


async def test_first_n_hits_the_first_connections_only() -> None:
    """Two connections are hit, the third is not; a change does not count them again."""
    async with Upstream() as upstream, proxied(upstream.port) as proxy:
        toxic = add(proxy, "noop", first_n=2)
        for expected in (1, 2, 2):
            reader, writer = await connect(proxy)
            await ask(reader, writer)
            assert toxic.hits == expected
        proxy.toxics.update("noop_downstream", Change(toxicity=1.0))
        assert toxic.connections == 2


async def test_ttl_removes_the_toxic_and_frees_what_it_held() -> None:
    """Nothing has to be done for the end of a toxic with a time to live."""
    async with Upstream() as upstream, proxied(upstream.port) as proxy:
        reader, writer = await connect(proxy)
        add(proxy, "partition", ttl=0.3)
        assert await timed(reader, writer) >= 0.25
        with pytest.raises(ApiError, match="toxic not found"):
            proxy.toxics.get("partition_downstream")


async def test_removing_one_of_three_keeps_the_order() -> None:
    """What the middle one held passes the third one before anything newer."""
    async with Upstream() as upstream, proxied(upstream.port) as proxy:
        reader, writer = await connect(proxy)
        add(proxy, "latency", name="a", latency=1)
        add(proxy, "partition", name="b")
        add(proxy, "slicer", name="c", average_size=7, size_variation=3)
        writer.write(b"older " * 100)
        await until(lambda: len(upstream.received) == 600)
        await asyncio.sleep(0.05)
        proxy.toxics.remove("b")
        writer.write(b"newer " * 100)
        async with asyncio.timeout(30):
            assert await reader.readexactly(1200) == b"older " * 100 + b"newer " * 100


async def test_a_client_that_vanishes_while_nothing_is_read_is_noticed() -> None:
    """A connection that is paused by a toxic does not outlive its client."""
    async with Upstream() as upstream, proxied(upstream.port) as proxy:
        _, writer = await connect(proxy)
        add(proxy, "bandwidth", "upstream", rate=0)
        writer.write(b"z" * 5_000_000)
        await until(lambda: proxy.budget.held > 200_000)
        writer.get_extra_info("socket").setsockopt(
            socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0)
        )
        writer.transport.abort()
        await until(lambda: not proxy.links)
        assert proxy.budget.held == 0


@pytest.mark.parametrize("first", [b"\0", b"\0\0\0\x08short", b"PING\r\n", b"\x16\x03\x01", b"\0\0\0\x01x"])
async def test_other_protocols_pass_whatever_they_begin_with(first: bytes) -> None:
    """A server that speaks first is heard, and so is a client that begins unlike PostgreSQL, or a little like it."""

    async def greet(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        writer.write(b"220 ready\r\n")
        while data := await reader.read(100):
            writer.write(data)
        writer.close()

    async with Upstream(greet) as upstream, proxied(upstream.port) as proxy:
        reader, writer = await connect(proxy)
        async with asyncio.timeout(30):
            assert await reader.readline() == b"220 ready\r\n"
        writer.write(first)
        writer.write_eof()
        assert await how_it_ends(reader) == (first, "eof")


async def test_backpressure_reaches_the_sender() -> None:
    """A client that does not read stops the server's sending; the proxy holds little of it, and all arrives later."""
    total = 30_000_000
    sent = 0

    async def pour(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        nonlocal sent
        while sent < total:
            writer.write(b"w" * 100_000)
            await writer.drain()
            sent += 100_000
        writer.close()

    async with Upstream(pour) as upstream, proxied(upstream.port) as proxy:
        reader, _ = await connect(proxy)
        await until(lambda: sent > 0)
        seen = -1
        while seen != sent:
            seen = sent
            await asyncio.sleep(0.2)
        assert sent < total
        assert len((await how_it_ends(reader))[0]) == total


async def test_disabling_drops_connections_and_keeps_the_port() -> None:
    """Down: connections end and new ones are refused; up again on the same address, toxics still there."""
    async with Upstream() as upstream, proxied(upstream.port) as proxy:
        add(proxy, "noop")
        reader, writer = await connect(proxy)
        await ask(reader, writer)
        listened = proxy.listen
        await proxy.stop()
        assert (await how_it_ends(reader))[0] == b""
        with pytest.raises(ConnectionRefusedError):
            await connect(proxy)
        await proxy.start()
        assert proxy.listen == listened
        assert await ask(*await connect(proxy)) == b"ping"
        assert len(proxy.toxics.listed()) == 1
