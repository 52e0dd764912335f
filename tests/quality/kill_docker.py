"""Kills capsize with SIGKILL at random moments of runs on Docker, and counts what is left on the engine.

``python tests/quality/kill_docker.py [--kills 50] [--seed N] [--output DIR]`` needs an engine (DOCKER_HOST) and may
share it with others: what is counted bears the label of the very process that was killed.
"""

from __future__ import annotations

import argparse
import json
import os
import random
import statistics
import subprocess
import sys
import tempfile
import time
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parents[1]))

import msgspec
import psutil

from capsize.platforms.docker.engine import Engine, connect
from capsize.platforms.docker.marks import OWNER, RUN

CAPSIZE = Path(sys.executable).with_name("capsize")
SCENARIOS = ("worker-restart", "mixed-chaos", "db-failure", "multi-worker-chaos")
EARLY, EARLIEST_S, EARLY_S, LATEST_S = 0.1, 0.2, 3.0, 10.0
"""Some kills fall into the first seconds; the others come so long after the first thing was made on the engine."""
BEGUN_LIMIT_S = 60.0
CLEAN_LIMIT_S, QUIET_S, LOOK_S = 60.0, 2.0, 0.05


class Kill(msgspec.Struct, frozen=True, kw_only=True):
    """One kill: in which run and when, what was there then, and what was left; ``healed_s`` None means never.

    ``healed_s`` runs to the last moment at which something was seen; nothing came in the ``QUIET_S`` after it.
    """

    scenario: str
    at_s: float
    during: int
    healed_s: float | None
    left: tuple[str, ...]


def of(engine: Engine, owner: int) -> set[str]:
    """Return all that bears the label of a process, with the bridges and rules of its networks."""
    client = engine.client
    containers = client.api.containers(all=True, filters={"label": RUN})
    networks = client.api.networks(filters={"label": RUN})
    volumes = client.api.volumes(filters={"label": RUN})["Volumes"] or []
    found = {f"container {c['Names'][0]}" for c in containers if _owner(c["Labels"]) == owner}
    found |= {f"volume {v['Name']}" for v in volumes if _owner(v["Labels"]) == owner}
    for network in networks:
        if _owner(network["Labels"]) == owner:
            found |= {f"network {network['Name']}", f"bridge br-{network['Id'][:12]}"}
    return found


def traces(bridges: set[str]) -> set[str]:
    """Return what the kernel still knows of bridges: links, and rules of the packet filter."""
    told = ""
    for command in (("ip", "-o", "link"), ("iptables-save",)):
        try:
            told += subprocess.run(command, capture_output=True, text=True, check=False).stdout
        except FileNotFoundError:
            continue
    return {bridge for bridge in bridges if bridge.removeprefix("bridge ") in told}


def descendants(pid: int) -> list[psutil.Process]:
    """Return the processes that a run started: its guardian and its proxy, perhaps."""
    try:
        return psutil.Process(pid).children(recursive=True)
    except psutil.NoSuchProcess:
        return []


def kill(engine: Engine, rng: random.Random, output: Path, number: int) -> Kill:
    """Start a run, kill it at a moment that is drawn, and look until nothing of it is left."""
    scenario = rng.choice(SCENARIOS)
    env = {k: v for k, v in os.environ.items() if k not in ("PORT", "BASE_URL", "OUTPUT_DIR")}
    env["XDG_STATE_HOME"] = str(output / "state")
    words = ["run", "--platform", "docker", "--scenarios", scenario, "--seed", str(number)]
    with (output / "capsize.log").open("ab") as log:
        process = subprocess.Popen(
            [CAPSIZE, *words, "--output", output / f"runs-{number}"],
            stdout=log,
            stderr=log,
            env=env,
            start_new_session=True,
        )
    began = time.monotonic()
    if rng.random() < EARLY:
        time.sleep(rng.uniform(EARLIEST_S, EARLY_S))
    else:
        while not of(engine, process.pid) and time.monotonic() - began < BEGUN_LIMIT_S:
            time.sleep(LOOK_S)
        time.sleep(rng.uniform(0.0, LATEST_S))
    at_s = time.monotonic() - began
    children, during = descendants(process.pid), of(engine, process.pid)
    if process.poll() is not None:
        raise RuntimeError(f"the run ended by itself with {process.returncode}; see {output}/capsize.log")
    process.kill()
    died = seen = time.monotonic()
    process.wait()
    bridges = {one for one in during if one.startswith("bridge ")}
    left: set[str] = set()
    while (now := time.monotonic()) - died < CLEAN_LIMIT_S and now - seen < QUIET_S:
        found = of(engine, process.pid)
        bridges |= {one for one in found if one.startswith("bridge ")}
        left = found | traces(bridges) | {f"process {c.pid}" for c in children if c.is_running()}
        if left:
            seen = time.monotonic()
        time.sleep(LOOK_S)
    return Kill(
        scenario=scenario,
        at_s=round(at_s, 3),
        during=len(during),
        healed_s=None if left else round(seen - died, 3),
        left=tuple(sorted(left)),
    )


def _owner(labels: dict[str, str] | None) -> int | None:
    try:
        return int(json.loads((labels or {})[OWNER])["pid"])
    except (KeyError, ValueError):
        return None


def main() -> int:
    """Kill, print, and return the exit code: 1 when something was left."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0] if __doc__ else None)
    parser.add_argument("--kills", type=int, default=50, help="how many runs are killed")
    parser.add_argument("--seed", type=int, default=1, help="draws scenarios and moments")
    parser.add_argument("--output", type=Path, default=None, help="where run directories go")
    arguments = parser.parse_args()
    output = (arguments.output or Path(tempfile.mkdtemp(prefix="kills-docker-"))).absolute()
    output.mkdir(parents=True, exist_ok=True)
    engine, rng = connect(), random.Random(arguments.seed)
    kills: list[Kill] = []
    for number in range(1, arguments.kills + 1):
        one = kill(engine, rng, output, number)
        kills.append(one)
        took = "NEVER" if one.healed_s is None else f"{one.healed_s:.2f} s"
        print(
            f"{number:4} {one.scenario:20} at {one.at_s:5.2f} s  {one.during:2} things  clean after {took}",
            flush=True,
        )
        for what in one.left:
            print(f"       LEFT {what}", flush=True)
    took_s = sorted(one.healed_s for one in kills if one.healed_s is not None)
    print(f"{len(kills)} kills, {sum(bool(one.left) for one in kills)} left something")
    if took_s:
        print(f"clean after: median {statistics.median(took_s):.2f} s, at most {took_s[-1]:.2f} s")
    (output / "kills.json").write_bytes(msgspec.json.format(msgspec.json.encode(kills)))
    return 1 if any(one.left for one in kills) else 0


if __name__ == "__main__":
    sys.exit(main())
