"""What is on the machine, looked at without capsize: to be taken before and after, and compared."""

from __future__ import annotations

import os
import re
import shutil
import subprocess
from collections.abc import Iterable, Iterator
from pathlib import Path

import psutil

COMMANDS = {
    "nftables": ("nft", "list", "ruleset"),
    "iptables": ("iptables-save", "-c"),
    "qdisc": ("tc", "qdisc", "show"),
    "link": ("ip", "-o", "link", "show"),
    "route": ("ip", "route", "show"),
    "rule": ("ip", "rule", "show"),
    "namespace": ("ip", "netns", "list"),
}
"""What a tool of the system tells, a line each; one that is not installed tells nothing."""
CHANGING = re.compile(r"\[\d+:\d+\]|(packets|bytes|backlog) \S+|^#.*|state (UP|DOWN|UNKNOWN)|,LOWER_UP")
"""Counters and dates, which differ from look to look."""
FOLDERS = tuple(Path(name) for name in ("/dev/shm", "/tmp", "/var/tmp", "/run", "/run/netns", "/dev/mqueue"))
OURS = re.compile(r"capsize|fuse|ctrl", re.IGNORECASE)
"""What is looked for in folders that others use too."""
CGROUPS = Path("/sys/fs/cgroup")
DOCKER = {
    "container": ("docker", "ps", "-aq"),
    "network": ("docker", "network", "ls", "-q"),
    "volume": ("docker", "volume", "ls", "-q"),
}


def inventory(stacks: Iterable[str] = (), *, docker: bool = False) -> frozenset[str]:
    """Return everything that could be left behind, each as ``kind: what``.

    Control groups can't be had in a namespace: those with the name of one of the ``stacks`` are looked for.
    """
    found = {*_processes(), *_mounts(), *_files(), *_cgroups(stacks), *_listening(), *_memory()}
    for kind, command in COMMANDS.items():
        found.update(f"{kind}: {line}" for line in _lines(command))
    for kind, command in DOCKER.items() if docker else ():
        found.update(f"docker {kind}: {line}" for line in _lines(command))
    return frozenset(found)


def _processes() -> Iterator[str]:
    for process in psutil.process_iter():
        try:
            if process.pid == os.getpid() or process.status() == psutil.STATUS_ZOMBIE:
                continue
            how = "stopped process" if process.status() == psutil.STATUS_STOPPED else "process"
            # A thread of the kernel comes and goes as it likes.
            if process.cmdline():
                yield f"{how}: {process.pid} {' '.join(process.cmdline())[:100]}"
        except psutil.Error:
            continue


def _mounts() -> Iterator[str]:
    for line in Path("/proc/self/mountinfo").read_text().splitlines():
        yield f"mount: {' '.join(line.split()[3:5])}"


def _files() -> Iterator[str]:
    for folder in FOLDERS:
        if folder.is_dir():
            yield from (f"file: {path}" for path in folder.iterdir() if OURS.search(path.name))


def _cgroups(stacks: Iterable[str]) -> Iterator[str]:
    names = tuple(stacks)
    for folder, below, _ in os.walk(CGROUPS) if names else ():
        yield from (f"cgroup: {folder}/{one}" for one in below if any(name in one for name in names))


def _listening() -> Iterator[str]:
    for one in psutil.net_connections("inet"):
        if one.status == psutil.CONN_LISTEN:
            yield f"listening: {one.laddr}"


def _memory() -> Iterator[str]:
    for name in ("shm", "sem", "msg"):
        for line in Path("/proc/sysvipc", name).read_text().splitlines()[1:]:
            yield f"{name}: {' '.join(line.split()[:2])}"


def _lines(command: tuple[str, ...]) -> Iterator[str]:
    if shutil.which(command[0]):
        done = subprocess.run(command, capture_output=True, text=True, timeout=20, check=False)
        for line in done.stdout.splitlines():
            plain = CHANGING.sub("", line).strip()
            if plain:
                yield plain
