"""The whole quality run: every planted defect must be found, and clean runs must raise no alarm.

``python tests/quality/run_all.py [--output DIR] [--clean N] [--only NAME,...]`` prints a matrix and exits 1 when a defect was
missed or a clean run did not pass. It takes about half a minute for each defect and each clean run.
"""

from __future__ import annotations

import argparse
import sys
import tempfile
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parents[1]))

from capsize.core.verdict import Verdict
from capsize.scenarios import SCENARIOS
from quality.hunting import outcome, run
from quality.planted import DEFECTS
from quality.planted.model import Hunt

FAST = (
    "acknowledges_before_running",
    "claims_without_lock",
    "runs_twice",
    "cancelled_tasks_run",
    "statistics_forget_running",
    "health_flaps",
)
"""Defects of different kinds that are found within about a minute together; CI hunts these."""
CLEAN = tuple(SCENARIOS)


def main() -> int:
    """Hunt, print, and return the exit code."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0] if __doc__ else None)
    parser.add_argument("--output", type=Path, default=None, help="where the run directories go")
    parser.add_argument("--clean", type=int, default=len(CLEAN), help="how many runs of the sound starter")
    parser.add_argument("--level", type=int, default=1, help="the level of the clean runs")
    parser.add_argument("--only", default="", help="defects to hunt, separated by commas; 'none' for none")
    parser.add_argument("--fast", action="store_true", help="hunt only the quick ones, as CI does")
    arguments = parser.parse_args()
    output = arguments.output or Path(tempfile.mkdtemp(prefix="capsize-quality-"))
    print(f"run directories: {output}")
    names = [name for name in arguments.only.split(",") if name] or list(FAST if arguments.fast else DEFECTS)
    missed = [] if arguments.only == "none" else _hunt(names, output)
    alarms = _clean(arguments.clean, arguments.level, output)
    print(f"{len(missed)} defects missed, {len(alarms)} false alarms in {arguments.clean} clean runs")
    return 1 if missed or alarms else 0


def _hunt(names: list[str], output: Path) -> list[str]:
    missed = []
    for name in names:
        defect = DEFECTS[name]
        judgement, directory = run(defect.hunt, output, defect=name)
        came_out = outcome(name, judgement)
        print(f"{name:30} {defect.hunt.scenario:20} {came_out:12} {directory.name}", flush=True)
        if came_out != "found":
            missed.append(name)
    return missed


def _clean(runs: int, level: int, output: Path) -> list[str]:
    alarms = []
    for number in range(runs):
        scenario = CLEAN[number % len(CLEAN)]
        judgement, directory = run(Hunt(scenario, level=level, seed=1000 + number), output)
        print(f"{'(sound)':30} {scenario:20} {judgement.verdict.name:12} {directory.name}", flush=True)
        for result in judgement.results:
            if result.verdict is not Verdict.PASS:
                print(f"    {result.checker}: {result.verdict.name}: {result.summary}")
        if judgement.verdict is not Verdict.PASS:
            alarms.append(directory.name)
    return alarms


if __name__ == "__main__":
    sys.exit(main())
