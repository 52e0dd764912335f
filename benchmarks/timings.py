"""How long every scenario takes at level 1, beside the least that it could take; one by one and side by side.

``python benchmarks/timings.py [--seed N] [--output DIR] [--write FILE]`` runs all scenarios twice, with ``--jobs 1``
and with ``--jobs auto``, which takes about ten minutes, and prints the page that ``docs/timings.md`` holds. Runs that
are in DIR already are not repeated.
"""

from __future__ import annotations

import argparse
import json
import os
import platform
import subprocess
import sys
import tempfile
from pathlib import Path
from typing import Any

from capsize.cli.planning import plan
from capsize.cli.schedule import auto_jobs
from capsize.core.levels import level
from capsize.scenarios import SCENARIOS, STANDARD
from capsize.scenarios.minimum import least_s

FACTOR = 1.15
"""``--jobs auto`` may take so many times the longest scenario, beside those that must run alone."""


def main() -> None:
    """Run, compare, print."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0] if __doc__ else None)
    parser.add_argument("--seed", type=int, default=7)
    parser.add_argument("--output", type=Path, default=None, help="where the runs go, or are already")
    parser.add_argument("--write", type=Path, default=None, help="the page to write")
    arguments = parser.parse_args()
    output = arguments.output or Path(tempfile.mkdtemp(prefix="capsize-timings-"))
    single = invocation(arguments.seed, "1", output / "single")
    auto = invocation(arguments.seed, "auto", output / "auto")
    text = page(arguments.seed, single, auto)
    print(text)
    if arguments.write:
        arguments.write.write_text(text)


def invocation(seed: int, jobs: str, output: Path) -> dict[str, Any]:
    """Return the summary of all scenarios at level 1 with so many jobs."""
    summary = output / "summary.json"
    if not summary.exists():
        print(f"--jobs {jobs} into {output}", file=sys.stderr)
        more = ("--jobs", jobs, "--output", str(output))
        subprocess.run(
            [sys.executable, "-m", "capsize", "run", "--difficulty", "1", "--seed", str(seed), *more],
            stdout=subprocess.DEVNULL,
            check=False,
        )
    found: dict[str, Any] = json.loads(summary.read_text())
    return found


def page(seed: int, single: dict[str, Any], auto: dict[str, Any]) -> str:
    """Return the page."""
    plans = plan([], level(1), seed)
    least = {one.scenario: least_s(one) for one in plans.experiments}
    alone = [name for name, scenario in SCENARIOS.items() if scenario.alone]
    one_by_one = {run["scenario"]: run for run in single["runs"]}
    together = {run["scenario"]: run for run in auto["runs"]}
    rows = [
        f"| {name} | {'yes' if name in alone else ''} | {least[name]:.1f} | {one_by_one[name]['duration_s']:.1f} "
        f"| {one_by_one[name]['duration_s'] - least[name]:.1f} | {together[name]['duration_s']:.1f} "
        f"| {one_by_one[name]['status']}, {together[name]['status']} | {lag_ms(one_by_one[name]):.1f}, "
        f"{lag_ms(together[name]):.1f} |"
        for name in STANDARD
    ]
    shared = {name: run["duration_s"] for name, run in one_by_one.items() if name not in alone}
    longest = max(shared, key=lambda name: shared[name])
    apart_s = sum(one_by_one[name]["duration_s"] for name in alone)
    bound_s = FACTOR * shared[longest] + apart_s
    return "\n".join(
        [
            "# How long the scenarios take",
            "",
            f"Made by `python benchmarks/timings.py --seed {seed}`, level 1, on {os.cpu_count()} cores, "
            f"{platform.system()} {platform.machine()}, Python {platform.python_version()}. Seconds.",
            "",
            "*Least* is what the phases must take when nothing is slow: those that time ends, and the work of all",
            "tasks shared by all workers. The rest is starting PostgreSQL, the API and the workers, waiting for the",
            "steady state, redelivery after strikes, and stopping. *Lag* is the p99 of capsize's own event loop, which",
            "has to stay below 100 ms for a run to prove anything.",
            "",
            "| scenario | alone | least | `--jobs 1` | above least | `--jobs auto` | verdicts | lag, ms |",
            "| --- | --- | ---: | ---: | ---: | ---: | --- | ---: |",
            *rows,
            "",
            f"- One by one: {single['duration_s']:.0f} s in all.",
            f"- `--jobs auto` (here {auto_jobs()} at once): {auto['duration_s']:.0f} s in all.",
            f"- The bound: {FACTOR} times the longest that shares ({longest}, {shared[longest]:.0f} s) plus those "
            f"that run alone ({apart_s:.0f} s) is {bound_s:.0f} s: "
            + ("kept." if auto["duration_s"] <= bound_s else "MISSED."),
            "",
        ]
    )


def lag_ms(run: dict[str, Any]) -> float:
    """Return how late capsize's event loop was, in milliseconds."""
    (measures,) = (claim["measures"] for claim in run["claims"] if claim["checker"] == "instrument")
    return float(measures.get("lag_p99_s", 0.0)) * 1000


if __name__ == "__main__":
    main()
