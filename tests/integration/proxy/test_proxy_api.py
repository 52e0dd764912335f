"""The control API of the proxy's process: Toxiproxy's Python client unchanged, statuses and bodies, and ours beside them."""

from __future__ import annotations

import asyncio
import os
import signal
import socket
import sys
from collections.abc import AsyncIterator
from typing import Any

import msgspec
import psutil
import pytest
from toxiproxy import Toxiproxy
from toxiproxy.api import APIConsumer
from toxiproxy.exceptions import InvalidToxic, NotFound, ProxyExists

from capsize.core.errors import InjectionError, StartError, UsageError
from capsize.proxy import ControlServer, ProxyProcess
from capsize.proxy.http_client import request
from support.proxying import LIMIT_S, Upstream, how_it_ends, silent
from support.waiting import until


@pytest.fixture
async def process() -> AsyncIterator[ProxyProcess]:
    async with ProxyProcess(seed=3) as started:
        yield started


@pytest.fixture
def client(process: ProxyProcess) -> Toxiproxy:
    """The package toxiproxy-python, as it is."""
    made = Toxiproxy()
    host, _, port = process.url.removeprefix("http://").partition(":")
    made.update_api_consumer(host, int(port))
    return made


async def raw(process: ProxyProcess, method: str, path: str, body: Any = None) -> tuple[int, Any]:
    data = body if isinstance(body, bytes | None) else msgspec.json.encode(body)
    status, answer = await request(method, process.url + path, data)
    try:
        return status, msgspec.json.decode(answer) if answer else None
    except msgspec.DecodeError:
        return status, answer


async def test_toxiproxys_python_client_works_unchanged(client: Toxiproxy) -> None:
    """Every call of the client does what its own documentation says."""
    async with Upstream() as upstream:

        def use() -> None:
            assert client.running()
            assert client.version() == b'{"version": "2.12.0"}\n'
            proxy = client.create(name="one", upstream=f"127.0.0.1:{upstream.port}")
            assert proxy.enabled
            assert proxy.listen.startswith("127.0.0.1:")
            with pytest.raises(ProxyExists):
                client.create(name="one", upstream="127.0.0.1:1")
            with pytest.raises(ProxyExists):
                APIConsumer.post("/proxies", json={"name": "one", "upstream": "127.0.0.1:1"})
            assert set(client.proxies()) == {"one"}
            assert client.get_proxy("none") is None
            populated = client.populate(
                [
                    {"name": "one", "upstream": proxy.upstream, "listen": proxy.listen},
                    {"name": "two", "upstream": "127.0.0.1:9", "listen": "127.0.0.1:0"},
                ]
            )
            assert [made.name for made in populated] == ["two"]
            proxy.add_toxic(type="latency", attributes={"latency": 5, "jitter": 1})
            proxy.add_toxic(
                name="slow", type="bandwidth", stream="upstream", toxicity=0.5, attributes={"rate": 9}
            )
            with pytest.raises(ProxyExists):
                proxy.add_toxic(type="latency")
            with pytest.raises(InvalidToxic):
                proxy.add_toxic(type="unheard_of")
            with pytest.raises(InvalidToxic):
                proxy.add_toxic(type="latency", stream="sideways")
            toxics = proxy.toxics()
            assert set(toxics) == {"latency_downstream", "slow"}
            assert toxics["slow"].toxicity == 0.5
            assert proxy.get_toxic("latency_downstream").attributes == {"latency": 5, "jitter": 1}
            assert proxy.destroy_toxic("slow")
            with pytest.raises(NotFound):
                proxy.destroy_toxic("slow")
            port = int(proxy.listen.rpartition(":")[2])
            with proxy.down(), pytest.raises(ConnectionRefusedError):
                socket.create_connection(("127.0.0.1", port))
            with socket.create_connection(("127.0.0.1", port), LIMIT_S) as connection:
                connection.sendall(b"through")
                assert connection.recv(100) == b"through"
            assert client.reset()
            assert proxy.toxics() == {}
            client.destroy_all()
            assert client.proxies() == {}

        await asyncio.to_thread(use)


async def test_statuses_and_bodies_are_toxiproxys(process: ProxyProcess) -> None:
    """Paths, codes, texts and default names as Toxiproxy has them."""
    assert await raw(process, "GET", "/proxies") == (200, {})
    assert await raw(process, "GET", "/proxies/x") == (404, {"error": "proxy not found", "status": 404})
    status, answer = await raw(process, "POST", "/proxies", {"upstream": "127.0.0.1:1"})
    assert (status, answer["error"]) == (400, "missing required field: name")
    status, answer = await raw(process, "POST", "/proxies", {"name": "p"})
    assert (status, answer["error"]) == (400, "missing required field: upstream")
    status, answer = await raw(process, "POST", "/proxies", b"{nonsense")
    assert status == 400
    assert answer["error"].startswith("bad request body: ")
    status, made = await raw(process, "POST", "/proxies", {"name": "p", "upstream": "127.0.0.1:1"})
    assert status == 201
    assert {key: made[key] for key in ("name", "upstream", "enabled", "toxics")} == {
        "name": "p",
        "upstream": "127.0.0.1:1",
        "enabled": True,
        "toxics": [],
    }
    status, other = await raw(
        process, "POST", "/proxies", {"name": "q", "upstream": "a:1", "listen": made["listen"]}
    )
    assert status == 500
    assert "listen" in other["error"]
    status, toxic = await raw(process, "POST", "/proxies/p/toxics", {"type": "timeout"})
    assert status == 200
    assert toxic["name"] == "timeout_downstream"
    assert toxic["attributes"] == {"timeout": 0}
    assert toxic["toxicity"] == 1
    status, toxic = await raw(
        process,
        "PATCH",
        "/proxies/p/toxics/timeout_downstream",
        {"attributes": {"timeout": 7}, "toxicity": 0.25},
    )
    assert (status, toxic["attributes"], toxic["toxicity"]) == (200, {"timeout": 7}, 0.25)
    assert (await raw(process, "GET", "/proxies/p/toxics"))[1][0]["name"] == "timeout_downstream"
    assert await raw(process, "DELETE", "/proxies/p/toxics/timeout_downstream") == (204, None)
    assert (await raw(process, "GET", "/proxies/p/toxics/timeout_downstream"))[0] == 404
    assert (await raw(process, "PUT", "/proxies"))[0] == 405
    assert (await raw(process, "GET", "/nowhere"))[0] == 404
    assert await raw(process, "POST", "/reset") == (204, None)
    assert await raw(process, "DELETE", "/proxies/p") == (204, None)


@pytest.mark.parametrize(
    "toxic",
    [
        {"type": "bandwidth", "attributes": {"rate": -1}},
        {"type": "latency", "attributes": {"latency": -5}},
        {"type": "latency", "attributes": {"latency": "soon"}},
        {"type": "slicer", "attributes": {"average_size": 0}},
        {"type": "slicer", "attributes": {"average_size": 5, "size_variation": 5}},
        {"type": "limit_data", "attributes": {"bytes": -1}},
        {"type": "timeout", "attributes": {"timeout": 10**30}},
        {"type": "stall", "attributes": {"probability": 2}},
        {"type": "partition", "attributes": {"unheard": 1}},
        {"type": "latency", "toxicity": 1.5},
        {"type": "latency", "ttl": 0},
        {"type": "latency", "stream": "both"},
        {"type": ""},
        [],
    ],
)
async def test_what_toxiproxy_crashes_on_is_a_400(process: ProxyProcess, toxic: Any) -> None:
    """A configuration that makes no sense is refused, and the proxy goes on."""
    await process.call("POST", "/proxies", {"name": "p", "upstream": "127.0.0.1:1"})
    status, answer = await raw(process, "POST", "/proxies/p/toxics", toxic)
    assert (status, answer["status"]) == (400, 400)
    assert await process.call("GET", "/proxies/p/toxics") == []


async def test_populate_brings_toxics_and_rules_or_nothing(process: ProxyProcess) -> None:
    """All is checked before anything changes; the same list again leaves connections alone."""
    async with Upstream() as upstream:
        given = {"name": "p", "listen": "127.0.0.1:0", "upstream": f"127.0.0.1:{upstream.port}"}
        status, answer = await raw(process, "POST", "/populate", [given, {"name": "bad"}])
        assert (status, answer["error"]) == (400, "missing required field: upstream at proxy 2")
        assert await process.call("GET", "/proxies") == {}
        status, answer = await raw(process, "POST", "/populate", [{**given, "toxics": [{"type": "none"}]}])
        assert status == 400
        given["toxics"] = [{"type": "noop", "ttl": 900, "first_n": 4}]
        given["rules"] = [{"type": "drop", "match": {"command": "COMMIT"}}]
        made = (await process.call("POST", "/populate", [given]))["proxies"][0]
        assert [toxic["name"] for toxic in made["toxics"]] == ["noop_downstream"]
        assert [rule["name"] for rule in made["rules"]] == ["drop_before"]
        port = int(made["listen"].rpartition(":")[2])
        reader, writer = await asyncio.open_connection("127.0.0.1", port)
        writer.write(b"hello")
        assert await reader.readexactly(5) == b"hello"
        again = {"name": "p", "listen": made["listen"], "upstream": given["upstream"]}
        shown = (await process.call("POST", "/populate", [again]))["proxies"][0]
        assert len(shown["toxics"]) == 1
        assert await silent(reader)
        await process.call("POST", "/populate", [{**again, "upstream": "127.0.0.1:1"}])
        assert (await how_it_ends(reader))[0] == b""


async def test_hits_are_counted_for_all_to_see(process: ProxyProcess) -> None:
    """A toxic tells over the API how often it did something, and on how many connections."""
    async with Upstream() as upstream:
        made = await process.call("POST", "/proxies", {"name": "p", "upstream": f"127.0.0.1:{upstream.port}"})
        await process.call("POST", "/proxies/p/toxics", {"type": "noop"})
        reader, writer = await asyncio.open_connection("127.0.0.1", int(made["listen"].rpartition(":")[2]))
        writer.write(b"x")
        await reader.readexactly(1)
        toxic = await process.call("GET", "/proxies/p/toxics/noop_downstream")
        assert (toxic["hits"], toxic["connections"]) == (1, 1)
        writer.close()


async def test_rules_have_the_manners_of_toxics(process: ProxyProcess) -> None:
    """Add, list, show, change, remove; conflicts, unknown names and bad fields answer as toxics do."""
    await process.call("POST", "/proxies", {"name": "p", "upstream": "127.0.0.1:1"})
    good = {"type": "drop", "match": {"command": "COMMIT"}, "attributes": {"when": "after"}}
    made = await process.call("POST", "/proxies/p/rules", good)
    assert (made["name"], made["hits"]) == ("drop_after", 0)
    assert (await raw(process, "POST", "/proxies/p/rules", good))[0] == 409
    changed = await process.call(
        "PATCH", "/proxies/p/rules/drop_after", {"first_n": 3, "attributes": {"how": "close"}}
    )
    assert (changed["first_n"], changed["attributes"]) == (3, {"when": "after", "how": "close"})
    assert len(await process.call("GET", "/proxies/p/rules")) == 1
    assert (await raw(process, "DELETE", "/proxies/p/rules/drop_after"))[0] == 204
    assert (await raw(process, "GET", "/proxies/p/rules/drop_after"))[0] == 404
    for bad in (
        {"type": "explode", "match": {"command": "COMMIT"}},
        {"type": "drop"},
        {"type": "drop", "match": {}},
        {"type": "drop", "match": {"regex": "("}},
        {"type": "drop", "match": {"table": "t", "startup": True}},
        {"type": "drop", "match": {"comand": "COMMIT"}},
        {"type": "error", "match": {"table": "t"}},
        {"type": "error", "match": {"table": "t"}, "attributes": {"sqlstate": "4000"}},
        {"type": "delay", "match": {"table": "t"}, "attributes": {"delay_s": -1}},
        {"type": "callback", "match": {"table": "t"}},
        {"type": "callback", "match": {"table": "t"}, "attributes": {"url": "ftp://x"}},
    ):
        assert (await raw(process, "POST", "/proxies/p/rules", bad))[0] == 400, bad
    await process.call("POST", "/proxies", {"name": "t", "upstream": "127.0.0.1:1", "protocol": "tcp"})
    status, answer = await raw(process, "POST", "/proxies/t/rules", good)
    assert (status, "protocol tcp" in answer["error"]) == (400, True)


async def test_the_api_tells_when_rules_cannot_see_an_encrypted_connection(process: ProxyProcess) -> None:
    """TLS passes as bytes, and the rule says on how many connections it can't work and what to do."""

    async def accepts_tls(reader: Any, writer: asyncio.StreamWriter) -> None:
        await reader.read(8)
        writer.write(b"S")
        await writer.drain()
        while data := await reader.read(1000):
            writer.write(data)

    async with Upstream(accepts_tls) as upstream:
        made = await process.call("POST", "/proxies", {"name": "p", "upstream": f"127.0.0.1:{upstream.port}"})
        rule = await process.call(
            "POST", "/proxies/p/rules", {"type": "drop", "match": {"command": "COMMIT"}}
        )
        assert rule["cannot_apply"] == []
        reader, writer = await asyncio.open_connection("127.0.0.1", int(made["listen"].rpartition(":")[2]))
        writer.write(bytes.fromhex("0000000804d2162f"))
        assert await reader.readexactly(1) == b"S"
        writer.write(b"\x16\x03\x01 opaque COMMIT")
        assert await reader.readexactly(17) == b"\x16\x03\x01 opaque COMMIT"
        rule = await process.call("GET", "/proxies/p/rules/drop_before")
        assert "1 connection so far can't be followed" in rule["cannot_apply"][0]
        assert "sslmode=disable" in rule["cannot_apply"][0]
        writer.close()


async def test_only_the_loopback_is_listened_on_unless_told_otherwise(process: ProxyProcess) -> None:
    """A proxy on all addresses is refused with a hint; an empty host means the loopback."""
    for listen in ("0.0.0.0:0", "[::]:0", "example.org:80"):
        status, answer = await raw(
            process, "POST", "/proxies", {"name": "p", "upstream": "a:1", "listen": listen}
        )
        assert (status, "--expose" in answer["error"]) == (400, True)
    made = await process.call("POST", "/proxies", {"name": "p", "upstream": "127.0.0.1:1", "listen": ":0"})
    assert made["listen"].startswith("127.0.0.1:")


async def test_a_token_is_needed_when_exposed_and_then_wanted() -> None:
    """Without a token it does not start; with one, requests without it are 401."""
    with pytest.raises(UsageError, match="token"):
        ControlServer("0.0.0.0:0", expose=True)
    with pytest.raises(UsageError, match="--expose"):
        ControlServer("0.0.0.0:0", token="t")
    async with ProxyProcess(token="hidden") as process:
        assert await process.call("GET", "/proxies") == {}
        assert (await request("GET", process.url + "/proxies"))[0] == 401
        assert (await request("GET", process.url + "/proxies", token="wrong"))[0] == 401
        assert process.pid is not None
        assert "hidden" not in " ".join(psutil.Process(process.pid).cmdline())


async def test_browsers_are_turned_away(process: ProxyProcess) -> None:
    """As Toxiproxy: a page must not reach the API of a developer's machine."""
    port = int(process.url.rpartition(":")[2])
    reader, writer = await asyncio.open_connection("127.0.0.1", port)
    writer.write(b"GET /proxies HTTP/1.1\r\nhost: x\r\nuser-agent: Mozilla/5.0\r\n\r\n")
    assert (await reader.readline()).startswith(b"HTTP/1.1 403")
    writer.close()


async def test_the_process_ends_with_its_owner_and_can_be_stopped_twice() -> None:
    """No proxy is left behind by an owner that was killed."""
    text = (
        "import asyncio, sys\nfrom capsize.proxy import ProxyProcess\n"
        "async def main():\n    p = ProxyProcess()\n    await p.start()\n    print(p.pid, flush=True)\n"
        "    await asyncio.sleep(600)\nasyncio.run(main())\n"
    )
    owner = await asyncio.create_subprocess_exec(sys.executable, "-c", text, stdout=asyncio.subprocess.PIPE)
    assert owner.stdout is not None
    pid = int(await owner.stdout.readline())
    os.kill(owner.pid, signal.SIGKILL)
    await owner.wait()
    await until(lambda: not psutil.pid_exists(pid) or psutil.Process(pid).status() == psutil.STATUS_ZOMBIE)
    process = ProxyProcess()
    await process.start()
    await process.stop()
    await process.stop()
    with pytest.raises(StartError):
        _ = process.url


async def test_a_port_that_is_taken_is_an_error_in_words(process: ProxyProcess) -> None:
    """The process says that it did not start; a call that fails says what was answered."""
    with pytest.raises(StartError, match="did not start"):
        await ProxyProcess(listen=process.url.removeprefix("http://")).start()
    with pytest.raises(InjectionError, match="proxy not found"):
        await process.call("GET", "/proxies/none")
