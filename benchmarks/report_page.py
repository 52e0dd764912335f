"""How long a report takes: made from the history, and opened in a headless Chromium.

``python benchmarks/report_page.py [TASKS ...]`` prints a table. Opening is timed by the page itself, from the
beginning of its navigation until every chart is drawn; the median of nine, each in a context of its own.
"""

from __future__ import annotations

import statistics
import sys
import tempfile
import time
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parents[1] / "tests"))

from capsize.checkers import judge
from capsize.core.verdict import ScenarioResult
from capsize.report import assemble, html
from support.browser import chromium
from support.histories import experiment
from support.many_tasks import many_tasks

ROUNDS = 9


def main() -> None:
    """Measure and print."""
    print("| tasks | events | page made in | size | opened, median | opened, slowest |")
    print("| ---: | ---: | ---: | ---: | ---: | ---: |")
    with tempfile.TemporaryDirectory() as folder, chromium() as browser:
        for number in [int(word) for word in sys.argv[1:]] or [100, 2000, 20_000, 100_000]:
            path = Path(folder) / "report.html"
            events, made_s = _make(number, path)
            opened = []
            for _ in range(ROUNDS):
                with browser.open(path) as shown:
                    opened.append(int(shown.page.evaluate("document.documentElement.dataset.drawn")))
            size = path.stat().st_size / 1024
            print(
                f"| {number:,} | {events:,} | {made_s:.2f} s | {size:.0f} KiB "
                f"| {statistics.median(opened):.0f} ms | {max(opened)} ms |",
                flush=True,
            )


def _make(number: int, path: Path) -> tuple[int, float]:
    history = many_tasks(number)
    plan = experiment("landed", "lost", "availability", "recovery", recovery={"service": "worker"})
    judged = judge(plan, history)
    outcome = ScenarioResult(
        scenario="flood", level=5, seed=1, verdict=judged.verdict, duration_s=history.end_s, judgement=judged
    )
    began = time.perf_counter()
    path.write_text(html.run(assemble(outcome, plan, history), plan, history))
    return len(history), time.perf_counter() - began


if __name__ == "__main__":
    main()
