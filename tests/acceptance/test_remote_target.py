"""A service that capsize did not start: over TLS, with what its API alone can bear, and only where load is allowed."""

from __future__ import annotations

import asyncio
import json
import os
import socket
import ssl
import subprocess
import sys
import threading
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import trustme

from support.engines import need_postgres

CAPSIZE = Path(sys.executable).with_name("capsize")
LIMIT_S = 180.0


class _Front(threading.Thread):
    """Ends TLS in front of a plain HTTP port, as a load balancer does."""

    def __init__(self, upstream: int, tls: ssl.SSLContext) -> None:
        super().__init__(daemon=True)
        self._upstream, self._tls = upstream, tls
        self.port = 0
        self._ready = threading.Event()
        self._loop = asyncio.new_event_loop()
        self.start()
        self._ready.wait(10)

    def run(self) -> None:
        """Serve until stopped."""
        self._loop.run_until_complete(self._serve())

    async def _serve(self) -> None:
        self._over = asyncio.Event()
        server = await asyncio.start_server(self._carry, "127.0.0.1", 0, ssl=self._tls)
        self.port = server.sockets[0].getsockname()[1]
        self._ready.set()
        await self._over.wait()
        server.close()

    async def _carry(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        try:
            up_reader, up_writer = await asyncio.open_connection("127.0.0.1", self._upstream)
        except OSError:
            writer.close()
            return
        await asyncio.gather(_pump(reader, up_writer), _pump(up_reader, writer))

    def stop(self) -> None:
        """End it."""
        self._loop.call_soon_threadsafe(self._over.set)
        self.join(10)


async def _pump(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
    try:
        while data := await reader.read(65536):
            writer.write(data)
            await writer.drain()
    except OSError:
        pass
    finally:
        writer.close()


class Staging:
    """A starter behind TLS, and a command line that trusts its certificate, or does not."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        authority = trustme.CA()
        self.trusted = folder / "authority.pem"
        authority.cert_pem.write_to_path(self.trusted)
        tls = ssl.create_default_context(ssl.Purpose.CLIENT_AUTH)
        authority.issue_cert("localhost").configure_cert(tls)
        self._env = {name: value for name, value in os.environ.items() if name not in ("PORT", "BASE_URL")}
        self._env |= {"XDG_STATE_HOME": str(folder), "CAPSIZE_PLATFORM": "local"}
        with socket.socket() as probe:
            probe.bind(("127.0.0.1", 0))
            port = int(probe.getsockname()[1])
        ran = self.call("up", "--port", str(port))
        assert ran.returncode == 0, ran.stdout + ran.stderr
        self.front = _Front(port, tls)
        self.url = f"https://localhost:{self.front.port}"

    def call(self, *argv: str, trusting: bool = True, **env: str) -> subprocess.CompletedProcess[str]:
        """Run capsize."""
        known = {"SSL_CERT_FILE": str(self.trusted)} if trusting else {}
        return subprocess.run(
            [CAPSIZE, *argv],
            env=self._env | known | env,
            cwd=self.folder,
            capture_output=True,
            text=True,
            timeout=LIMIT_S,
            check=False,
        )


@pytest.fixture(scope="module")
def staging(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Staging]:
    """One for all tests here."""
    need_postgres()
    made = Staging(tmp_path_factory.mktemp("staging"))
    yield made
    made.front.stop()
    made.call("down")


@pytest.mark.timeout(240)
def test_what_needs_no_control_runs_and_the_rest_is_skipped(staging: Staging) -> None:
    """BASE_URL=https://...: baseline and circuit-breaker pass, worker-restart is SKIPPED and says what it would need."""
    ran = staging.call(
        "run", "--scenarios", "baseline,circuit-breaker,worker-restart", "--json", BASE_URL=staging.url
    )
    assert ran.returncode in (0, 2), ran.stdout[-3000:] + ran.stderr[-3000:]
    runs = {one["scenario"]: one for one in json.loads(ran.stdout)["runs"]}
    for scenario in ("baseline", "circuit-breaker"):
        _held(runs[scenario])
    assert _claims(runs["circuit-breaker"])["observed_circuit"]["verdict"] == "PASS"
    assert runs["worker-restart"]["status"] == "SKIPPED"
    assert "Killable" in runs["worker-restart"]["reason"]


@pytest.mark.slow
@pytest.mark.timeout(240)
def test_recovery_is_observed(staging: Staging) -> None:
    """capsize breaks nothing there; somebody else restarts the API meanwhile, and its return is timed."""
    command = ["run", "--scenarios", "recovery", "--time-scale", "0.2", "--json"]
    result: list[subprocess.CompletedProcess[str]] = []
    watching = threading.Thread(target=lambda: result.append(staging.call(*command, BASE_URL=staging.url)))
    watching.start()
    for _ in range(100):
        watching.join(0.1)
        if any(staging.folder.glob("runs/*-recovery-*/history.jsonl")) and _in_chaos(staging.folder):
            break
    struck = staging.call("strike", "restart", "--service", "server", "--delay", "0.5")
    watching.join()
    assert struck.returncode == 0, struck.stderr
    (run,) = json.loads(result[0].stdout)["runs"]
    seen = _claims(run)["observed_recovery"]
    assert seen["verdict"] == "PASS", run
    assert seen["measures"]["outages"] >= 1


def _claims(run: dict[str, Any]) -> dict[str, Any]:
    return {claim["checker"]: claim for claim in run["claims"]}


def _held(run: dict[str, Any]) -> None:
    """Every claim held, but for that of capsize's own punctuality on a machine that does other things too."""
    bad = {name: one for name, one in _claims(run).items() if one["verdict"] != "PASS"}
    assert not bad.keys() - {"instrument"}, bad


def _in_chaos(folder: Path) -> bool:
    (history,) = folder.glob("runs/*-recovery-*/history.jsonl")
    return '"chaos"' in history.read_text()


def test_a_certificate_that_nobody_vouches_for_is_refused(staging: Staging) -> None:
    """No request is sent over such a connection, and no verdict is given."""
    ran = staging.call("run", "--scenarios", "baseline", trusting=False, BASE_URL=staging.url)
    assert ran.returncode == 2
    assert "certificate" in (ran.stdout + ran.stderr).lower()


def test_load_is_not_sent_to_another_machine_without_being_told_to(staging: Staging) -> None:
    """Exit 64, nothing begun; with the flag it goes on to the address, where nobody answers."""
    ran = staging.call(
        "run", "--scenarios", "baseline", "--output", "far", BASE_URL="https://staging.invalid"
    )
    assert ran.returncode == 64
    assert "--allow-remote-load" in ran.stderr
    assert not any(staging.folder.glob("far/*-baseline-*"))
    allowed = ("run", "--scenarios", "baseline", "--output", "far", "--allow-remote-load")
    ran = staging.call(*allowed, BASE_URL="https://staging.invalid")
    assert ran.returncode == 2
    assert "nothing answers at https://staging.invalid:443" in ran.stdout + ran.stderr


def test_the_api_check_speaks_tls(staging: Staging) -> None:
    """`test-with-curl.sh` takes BASE_URL too, and every check passes through TLS."""
    ran = staging.call("api-check", BASE_URL=staging.url)
    assert ran.returncode == 0, ran.stdout
    assert "Success rate: 100%" in ran.stdout
