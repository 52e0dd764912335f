"""Scenarios x levels x seeds on the sound starter: what each run said, as a table.

``python tests/quality/matrix.py --scenarios multi-worker-chaos --levels 1,2 --seeds 1,2,3 --jobs 3`` exits 1 unless every run
passed. Runs side by side share the machine, so their timings are worse than those of a run alone.
"""

from __future__ import annotations

import argparse
import sys
import tempfile
import time
from concurrent.futures import ProcessPoolExecutor
from itertools import product
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parents[1]))

from capsize.core.verdict import Verdict
from quality.hunting import run
from quality.planted.model import Hunt


def main() -> int:
    """Run them all, print a row for each, and return the exit code."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0] if __doc__ else None)
    parser.add_argument("--scenarios", default="multi-worker-chaos")
    parser.add_argument("--levels", default="1,2,3,4,5,6")
    parser.add_argument("--seeds", default="1,2,3,4,5")
    parser.add_argument("--jobs", type=int, default=1)
    parser.add_argument("--output", type=Path, default=None)
    arguments = parser.parse_args()
    output = arguments.output or Path(tempfile.mkdtemp(prefix="capsize-matrix-"))
    print(f"run directories: {output}")
    print("| scenario | level | seed | verdict | completed | retries | recovery max | beyond the phases |")
    print("| --- | --- | --- | --- | --- | --- | --- | --- |", flush=True)
    scenarios, levels, seeds = (
        text.split(",") for text in (arguments.scenarios, arguments.levels, arguments.seeds)
    )
    hunts = [
        Hunt(name, level=int(number), seed=int(seed))
        for name, number, seed in product(scenarios, levels, seeds)
    ]
    with ProcessPoolExecutor(arguments.jobs) as pool:
        verdicts = list(pool.map(_row, hunts, [output] * len(hunts)))
    return 0 if all(verdict is Verdict.PASS for verdict in verdicts) else 1


def _row(hunt: Hunt, output: Path) -> Verdict:
    began = time.monotonic()
    judgement, path = run(hunt, output)
    took_s = time.monotonic() - began
    completion = judgement.measure("completion", "completion_ratio", float("nan"))
    recovery = judgement.measure("recovery", "recovery_max_s", float("nan"))
    row = [
        hunt.scenario,
        str(hunt.level),
        str(hunt.seed),
        judgement.verdict.name,
        f"{completion:.1%}",
        str(judgement.measure("retries", "retries", "-")),
        f"{recovery:.2f} s",
        f"{took_s - _phases_s(path):.1f} s",
    ]
    lines = [f"| {' | '.join(row)} |"]
    lines += [
        f"    {result.checker}: {result.verdict.name}: {result.summary} ({path.name})"
        for result in judgement.results
        if result.verdict is not Verdict.PASS
    ]
    print("\n".join(lines), flush=True)
    return judgement.verdict


def _phases_s(path: Path) -> float:
    """Return the time that the level itself took: from the first phase's begin to the chaos phase's end."""
    from capsize.rundir import RunDirectory

    history = RunDirectory(path).history()
    first = history.phase(history.phases[0]) if history.phases else None
    chaos = history.phase("chaos") or history.phase("drain")
    return chaos[1] - first[0] if first and chaos else 0.0


if __name__ == "__main__":
    sys.exit(main())
