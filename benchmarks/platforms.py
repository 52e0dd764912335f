"""Lays runs on two platforms side by side, from their run directories, as a Markdown table.

``python benchmarks/platforms.py LOCAL_RUNS DOCKER_RUNS``: one row per scenario and level; of several runs of one, the last.
"""

from __future__ import annotations

import sys
from pathlib import Path

import msgspec

from capsize.core.errors import CapsizeError
from capsize.core.verdict import Judgement, Verdict
from capsize.rundir import RunDirectory

Key = tuple[int, str]


class Row(msgspec.Struct, frozen=True):
    """One run: its verdict, the longest recovery (None: nothing had to recover), start, and all it took, in seconds."""

    verdict: Verdict
    recovery_s: float | None
    start_s: float
    all_s: float


def rows(folder: Path) -> dict[Key, Row]:
    """Return the runs in a folder, by level and scenario."""
    found: dict[Key, Row] = {}
    for path in sorted(folder.iterdir()):
        try:
            run = RunDirectory.open(path)
            experiment, history = run.experiment(), run.history()
            judged = msgspec.json.decode((path / "verdict.json").read_bytes(), type=Judgement)
        except (CapsizeError, OSError):
            continue
        steady = history.phase("steady")
        found[experiment.level.number, experiment.scenario] = Row(
            judged.verdict,
            max(
                (v for r in judged.results if (v := r.measures.get("recovery_max_s")) is not None),
                default=None,
            ),
            steady[0] if steady else 0.0,
            history.end_s,
        )
    return found


def main() -> int:
    """Print the table."""
    local, docker = (rows(Path(name)) for name in sys.argv[1:3])
    print("| level | scenario | local | recovery, s | start, s | Docker | recovery, s | start, s |")
    print("| ---: | --- | --- | ---: | ---: | --- | ---: | ---: |")
    for key in sorted(local.keys() | docker.keys()):
        cells = [f"{key[0]}", key[1]]
        for found in (local.get(key), docker.get(key)):
            if found is None:
                cells += ["", "", ""]
            else:
                recovery = "" if found.recovery_s is None else f"{found.recovery_s:.2f}"
                cells += [found.verdict.name, recovery, f"{found.start_s:.1f}"]
        print(f"| {' | '.join(cells)} |")
    return 0


if __name__ == "__main__":
    sys.exit(main())
