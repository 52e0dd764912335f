"""Kills capsize with SIGKILL at random moments over all faults, and counts what is left on the machine.

``python tests/quality/kill.py [--kills 200] [--seed N] [--output DIR]`` needs root: it looks at a machine of its own,
in namespaces of processes, mounts, network and shared memory, so that nothing of others' is counted. With
``--guardian-too`` the guardian is killed as well, once, and it must find what is left: the count is no formality.
"""

from __future__ import annotations

import argparse
import os
import random
import statistics
import subprocess
import sys
import tempfile
import time
from collections import Counter
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parents[1]))

import msgspec

from quality.kills.campaign import Campaign, Kill, Mode, NotUnderWay
from quality.kills.plans import plan, possible

PROMISED_S = 2.0
TRIES, TRY_AGAIN_S = 10, 5.0
OWN_MACHINE = ("unshare", "--fork", "--pid", "--kill-child", "--mount", "--mount-proc", "--net", "--ipc")
SETTLE = 'for d in /dev/shm $PRIVATE; do mount -t tmpfs kills $d; done; ip link set lo up; "$@"; exit $?'
"""bash stays as the first process of the namespace, which takes in orphans."""


def main() -> int:
    """Kill, print, and return the exit code: 1 when something was left, or healing took longer than promised."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0] if __doc__ else None)
    parser.add_argument("--kills", type=int, default=200, help="how many runs are killed")
    parser.add_argument("--seed", type=int, default=1, help="draws faults, moments and ways")
    parser.add_argument("--only", default="", help="faults, separated by commas")
    parser.add_argument("--output", type=Path, default=None, help="where run directories and kills.json go")
    parser.add_argument(
        "--guardian-too", action="store_true", help="kill the guardian too; healed by hand then"
    )
    parser.add_argument("--here", action="store_true", help=argparse.SUPPRESS)
    arguments = parser.parse_args()
    if not arguments.here:
        command = [*OWN_MACHINE, "bash", "-c", SETTLE, "bash", sys.executable, *sys.argv, "--here"]
        return subprocess.run(
            command, check=False, env=os.environ | {"PRIVATE": _private(arguments.output)}
        ).returncode
    output = (arguments.output or Path(tempfile.mkdtemp(prefix="kills-", dir="/var/tmp"))).absolute()
    output.mkdir(parents=True, exist_ok=True)
    print(f"run directories: {output}")
    rng = random.Random(arguments.seed)
    campaign = Campaign(output, rng)
    if arguments.guardian_too:
        return _without_guardian(campaign, rng)
    return _with_guardian(campaign, rng, arguments)


def _private(output: Path | None) -> str:
    """Return /tmp, when nothing that is needed is below it: others leave things there while we look."""
    needed = (Path(sys.prefix), Path(__file__), *([output.absolute()] if output else []))
    return "" if any(path.is_relative_to("/tmp") for path in needed) else "/tmp"


def _with_guardian(campaign: Campaign, rng: random.Random, arguments: argparse.Namespace) -> int:
    plans, refused = possible(rng)
    for fault, why in refused.items():
        print(f"not here: {fault}: {why}")
    names = [name for name in plans if not arguments.only or name in arguments.only.split(",")]
    kills: list[Kill] = []
    for number in range(arguments.kills):
        if number % len(names) == 0:
            rng.shuffle(names)
        fault = names[number % len(names)]
        mode: Mode = rng.choice(("process", "group"))
        kills.append(_killed(campaign, fault, rng, mode))
        _print(number + 1, kills[-1])
        (campaign.output / "kills.json").write_bytes(msgspec.json.format(msgspec.json.encode(kills)))
    _summarize(kills)
    late = [one for one in kills if one.left or (one.healed_s or 0.0) > PROMISED_S]
    return 1 if late else 0


def _killed(campaign: Campaign, fault: str, rng: random.Random, mode: Mode) -> Kill:
    for _ in range(TRIES):
        try:
            return campaign.kill(fault, plan(fault, rng), mode)
        except NotUnderWay as error:
            print(f"     {fault}: {error}", flush=True)
            time.sleep(TRY_AGAIN_S)
    raise SystemExit(
        f"{fault}: no run came so far that it could be killed; see {campaign.output}/capsize.log"
    )


def _without_guardian(campaign: Campaign, rng: random.Random) -> int:
    one = campaign.kill("pause", plan("pause", rng), "guardian too")
    _print(1, one)
    healed = campaign.heal()
    again = campaign.heal()
    print(
        f"heal --all: exit {healed.returncode}\n{healed.stdout}again: exit {again.returncode}\n{again.stdout}"
    )
    left = campaign.left(one)
    print(f"left after healing by hand: {', '.join(left) or 'nothing'}")
    return 0 if one.left and not left and healed.returncode == again.returncode == 0 else 1


def _print(number: int, one: Kill) -> None:
    healed = "-" if one.healed_s is None else f"{one.healed_s:.3f} s"
    clean = "NEVER" if one.clean_s is None else f"{one.clean_s:.3f} s"
    struck = "struck" if one.struck else ""
    print(
        f"{number:4} {one.fault:22} {one.mode:12} at {one.at_s:5.2f} s {one.during:3} things {struck:6} "
        f"healed {healed}, seen clean {clean}",
        flush=True,
    )
    for what in one.left:
        print(f"       LEFT {what}", flush=True)


def _summarize(kills: list[Kill]) -> None:
    took = sorted(one.healed_s for one in kills if one.healed_s is not None)
    struck = Counter(one.fault for one in kills if one.struck)
    left = sum(bool(one.left) for one in kills)
    print(f"{len(kills)} kills, {left} left something; {sum(struck.values())} with the fault in effect")
    if took:
        p99 = took[min(len(took) - 1, int(len(took) * 0.99))]
        print(
            f"healed after: median {statistics.median(took):.3f} s, p99 {p99:.3f} s, at most {took[-1]:.3f} s"
        )
    print("killed in effect: " + ", ".join(f"{name} {number}" for name, number in sorted(struck.items())))
    never = sorted({one.fault for one in kills} - set(struck))
    if never:
        print(f"never in effect when killed: {', '.join(never)}")


if __name__ == "__main__":
    sys.exit(main())
