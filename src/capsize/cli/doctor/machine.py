"""What only some platforms and faults need: Docker, the kernel's ways to disturb traffic, FUSE, control groups, rights."""

from __future__ import annotations

import asyncio
import os
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from capsize.cli.doctor.finding import Finding, fine
from capsize.core.clock import MonotonicClock
from capsize.core.errors import CapsizeError, UsageError
from capsize.core.platform import ClockSkewable, DiskBreakable, DiskFillable, NamesBreakable, Proxied
from capsize.faults import FAULTS, why_not
from capsize.guardian import Unguarded
from capsize.platforms.local import LocalPlatform
from capsize.platforms.local.harm.cgroups import controller
from capsize.platforms.netns.kernel import Kernel, kernel

PREPARED = (
    (
        "disks",
        DiskBreakable,
        "the faults disk_error and disk_slow",
        "apt install fuse3 and pip install 'capsize[faults]', as root or with user namespaces",
    ),
    ("small disks", DiskFillable, "the fault disk_full", "run as root, or allow user namespaces"),
    ("clocks", ClockSkewable, "the fault clock_skew", "pip install 'capsize[faults]'"),
    ("names", NamesBreakable, "the fault dns", "run as root, or allow user namespaces"),
)


def machine() -> Iterator[Finding]:
    """Try all of it out; what a trial needs is gone when it is over."""
    yield rights()
    yield docker()
    yield traffic(asyncio.run(_kernel()))
    platform = LocalPlatform(Path(), lambda _: None, MonotonicClock(), {})
    for name, ability, then, fix in PREPARED:
        why = platform.lacks(ability)
        yield (
            fine(name, "can be broken")
            if why is None
            else Finding(name=name, state="missing", found=why, then=f"{then} can't be had", fix=fix)
        )
    yield groups()
    yield faults(platform)


def rights() -> Finding:
    """Look at who we are: nothing needs root but some faults."""
    if os.geteuid() == 0:
        return fine("rights", "root; PostgreSQL runs as another user")
    return Finding(
        name="rights",
        state="limited",
        found=f"user {os.geteuid()}, not root",
        then="faults that need mounts, namespaces or control groups may not be had; those below say which",
    )


def docker() -> Finding:
    """Ask the engine."""
    try:
        from capsize.platforms.docker.engine import connect

        engine = connect()
        try:
            version = engine.client.version()["Version"]
        finally:
            engine.close()
    except (UsageError, CapsizeError) as error:
        return Finding(
            name="docker",
            state="missing",
            found=str(error).partition(". ")[0],
            then="--platform docker can't be taken; processes of this machine do without",
            fix="install and start Docker, and pip install 'capsize[docker]'",
        )
    return fine("docker", f"engine {version} answers")


async def _kernel() -> Kernel | str:
    try:
        async with asyncio.timeout(20):
            return await kernel()
    except (TimeoutError, OSError) as error:
        return f"could not be tried: {error or 'no answer within 20 s'}"


def traffic(found: Kernel | str) -> Finding:
    """Tell by what the traffic of containers can be disturbed."""
    without = "the fault `network` on containers; faults on proxied connections need nothing of this"
    if isinstance(found, str):
        return Finding(name="traffic", state="missing", found=found, then=f"without {without}")
    ways = [name for name in ("netem", "tbf", "nft") if getattr(found, name)]
    ways += [f"NFQUEUE by {found.queue}"] if found.queue else []
    if found.netem or (found.queue and found.nft and found.tbf):
        return fine(
            "traffic", ", ".join(ways) + ("" if found.netem else "; no netem, and the others stand in for it")
        )
    return Finding(
        name="traffic",
        state="limited" if ways else "missing",
        found=f"only {', '.join(ways)}" if ways else "neither netem nor NFQUEUE, tbf and nft",
        then=f"without some of {without}",
        fix="apt install iproute2 nftables iptables, as root",
    )


def groups() -> Finding:
    """See whether control groups can be made."""
    lacking = {}
    for name in ("cpu", "memory"):
        found = controller(name, Unguarded())
        if isinstance(found, str):
            lacking[name] = found
    if not lacking:
        return fine("control groups", "cpu and memory can be limited")
    return Finding(
        name="control groups",
        state="limited",
        found="; ".join(lacking.values()),
        then="limits of services are not kept; the fault cpu takes time by busy processes, memory refuses instead of killing",
        fix="run as root, or in a session with delegated control groups",
    )


def faults(platform: Any) -> Finding:
    """Count the faults that a run on processes of this machine can have."""
    lacking = {name: why for name, kind in FAULTS.items() if (why := why_not(kind, platform)) is not None}
    # Taken along by a run that plans them: a proxy is laid then.
    lacking = {
        name: why
        for name, why in lacking.items()
        if Proxied not in FAULTS[name].requires and name != "dependency"
    }
    found = f"{len(FAULTS) - len(lacking)} of {len(FAULTS)} can be had on processes of this machine"
    if not lacking:
        return fine("faults", found)
    return Finding(
        name="faults",
        state="limited",
        found=found,
        then="; ".join(f"{name} {why}" for name, why in sorted(lacking.items())),
    )
