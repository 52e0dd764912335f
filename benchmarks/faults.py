"""How long each fault takes from the request to its effect, and from the request to heal until it is undone.

``python benchmarks/faults.py [--injections N] [--only NAME ...]`` starts the starter as ``capsize up`` does, in a state
folder of its own, with light traffic, and once more prepared for the faults that need that. It injects each fault N times
by the same calls as ``capsize fault inject``, and writes the medians to ``src/capsize/faults/times.json``, from which
``docs/faults.md`` is made. With ``--only`` the other figures stay. Takes about five minutes on two cores.
"""

from __future__ import annotations

import argparse
import asyncio
import os
import platform as host
import socket
import subprocess
import sys
import tempfile
import time
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager, suppress
from pathlib import Path
from statistics import median
from typing import Any
from urllib.parse import urlsplit

import msgspec

from capsize.cli.fault_page import Measured, Times
from capsize.core.clock import MonotonicClock
from capsize.core.errors import CapsizeError
from capsize.core.experiment import Spec
from capsize.core.registry import make
from capsize.faults import FAULTS, heal, why_not
from capsize.load.dependency import Dependency

ROOT = Path(__file__).parents[1]
TIMES = ROOT / "src" / "capsize" / "faults" / "times.json"
PREPARED = ("clock", "disk", "names")
BETWEEN_S = 1.0
CALL_EVERY_S = 0.05

ARGS: dict[str, dict[str, Any]] = {
    "clock_skew": {"offset_s": 3600.0},
    "dependency": {"mode": "fail"},
    "kill_point": {"statement": "select"},
    "lock_table": {"table": "tasks"},
    "lost_reply": {"statement": "select"},
    "lost_statement": {"statement": "select"},
    "scale": {"to": 1, "back_to": 2},
    "slow_statement": {"statement": "select"},
    "sql_error": {"statement": "select", "sqlstate": "40001"},
}
"""What a fault must be given, and what makes the figure that of a whole change."""
ON_DATABASE = ("disk",)
"""Preparations whose faults are for the database's files."""


async def measure(name: str, on: Any, victims: tuple[str, ...], injections: int) -> Times:
    """Inject a fault so many times and return the medians, or why it can't be."""
    args = ARGS.get(name, {})
    fault = make(FAULTS, Spec(name=name, args=args), "fault")
    reason = why_not(fault, on)
    if reason is not None:
        return Times(args=args, why_not=f"it {reason}")
    struck, healed = [], []
    for _ in range(injections):
        try:
            began = time.perf_counter()
            try:
                await fault.strike(on, victims)
            finally:
                landed = time.perf_counter()
                await heal(fault, on, victims)
        except CapsizeError as error:
            return Times(args=args, why_not=f"{type(error).__name__}: {error}")
        struck.append(landed - began)
        healed.append(time.perf_counter() - landed)
        await asyncio.sleep(BETWEEN_S)
    return Times(args=args, strike_s=round(median(struck), 4), heal_s=round(median(healed), 4))


async def measure_all(names: list[str], injections: int) -> dict[str, Times]:
    """Measure each fault on the stack that is up."""
    from capsize.platforms.local.attached import attach

    stack, found = attach(), {}
    async with Dependency(lambda _: None, MonotonicClock()) as outside, traffic(stack.api_url):
        for name in names:
            kind = FAULTS[name]
            on: Any = outside if name == "dependency" else stack
            base = getattr(kind, "aim", "") == "database" or getattr(kind, "prepares", "") in ON_DATABASE
            victims = ("postgres-1",) if base else ("worker-1",)
            found[name] = await measure(name, on, victims, injections)
            print(f"{name:24}{told(found[name])}", flush=True)
            if on is stack:
                await recovered(stack)
    await stack.down()
    return found


async def recovered(stack: Any) -> None:
    """Wait until all instances are ready again."""
    async with asyncio.timeout(60.0):
        while not all(one.ready for one in stack.instances()):  # noqa: ASYNC110 - nobody tells
            await asyncio.sleep(0.05)


@asynccontextmanager
async def traffic(url: str) -> AsyncIterator[None]:
    """Have the API ask its database twenty times a second."""
    address = urlsplit(url)

    async def call() -> None:
        reader, writer = await asyncio.open_connection(address.hostname, address.port)
        writer.write(b"GET /tasks/stats HTTP/1.0\r\nHost: x\r\n\r\n")
        await reader.read()
        writer.close()

    async def calling() -> None:
        while True:
            with suppress(OSError, TimeoutError):
                await asyncio.wait_for(call(), 5.0)
            await asyncio.sleep(CALL_EVERY_S)

    tasks = [asyncio.create_task(calling()) for _ in range(2)]
    try:
        yield
    finally:
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)


def told(times: Times) -> str:
    """Return a line on one fault."""
    if times.strike_s is None or times.heal_s is None:
        return times.why_not
    return f"effect after {times.strike_s:.3f} s, healed after {times.heal_s:.3f} s"


def prepared() -> list[str]:
    """Return for which kinds of fault a stack can be started ready on this machine."""
    from capsize.platforms.local import LocalPlatform

    there = LocalPlatform(Path(tempfile.gettempdir()), lambda _: None, MonotonicClock(), {})
    able = {getattr(fault, "prepares", "") for fault in FAULTS.values() if why_not(fault, there) is None}
    return [kind for kind in PREPARED if kind in able]


def capsize(*argv: str) -> None:
    """Run a command of capsize. Raises CalledProcessError."""
    subprocess.run([sys.executable, "-m", "capsize", *argv], check=True, stdout=subprocess.DEVNULL)


def main() -> None:
    """Start, measure, write."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0] if __doc__ else None)
    parser.add_argument("--injections", type=int, default=5)
    parser.add_argument("--only", nargs="+", default=list(FAULTS), choices=list(FAULTS))
    parser.add_argument("--write", type=Path, default=TIMES, metavar="FILE", help="where the figures go")
    arguments = parser.parse_args()
    # A disk that can fail is a slower one: only what needs it is measured on it.
    needing = [name for name in arguments.only if hasattr(FAULTS[name], "prepares")]
    plain = [name for name in arguments.only if name not in needing]
    found = on_stack(plain, [], arguments.injections) | on_stack(needing, prepared(), arguments.injections)
    write(found, arguments.injections, arguments.write)


def on_stack(names: list[str], ready: list[str], injections: int) -> dict[str, Times]:
    """Start a stack that is prepared so, measure these faults on it, and take it down."""
    if not names:
        return {}
    with tempfile.TemporaryDirectory(prefix="capsize-benchmark-") as state, socket.socket() as free:
        os.environ["XDG_STATE_HOME"] = state
        free.bind(("127.0.0.1", 0))
        port = str(free.getsockname()[1])
        free.close()
        more = [word for kind in ready for word in ("--prepare", kind)]
        capsize("up", "--port", port, "--workers", "2", "--proxied", *more)
        try:
            return asyncio.run(measure_all(names, injections))
        finally:
            capsize("down")


def write(found: dict[str, Times], injections: int, path: Path) -> None:
    """Write the figures, beside those of other faults that were there already."""
    known: dict[str, Times] = {}
    if path.exists():
        known = msgspec.json.decode(path.read_bytes(), type=Measured).faults
    measured = Measured(
        machine=f"{os.cpu_count()} cores, {host.system()} {host.machine()}, Python {host.python_version()}, load average {os.getloadavg()[0]:.0f}",
        date=time.strftime("%Y-%m-%d"),
        injections=injections,
        faults={name: times for name, times in sorted((known | found).items()) if name in FAULTS},
    )
    path.write_bytes(msgspec.json.format(msgspec.json.encode(measured), indent=2) + b"\n")
    print(f"Written: {path}. Renew the page: capsize list faults --markdown > docs/faults.md")


if __name__ == "__main__":
    main()
