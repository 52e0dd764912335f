"""The last looks: the rows of accepted tasks, and the probes that conclude; none of them ends a run."""

from __future__ import annotations

from pathlib import Path
from typing import Any, ClassVar

from capsize.core.errors import InjectionError
from capsize.core.events import Event, Noted, Op, Sample, Stored
from capsize.core.protocols import Stage
from capsize.runner.lastlooks import last_looks
from support.simulated import run
from support.stages import Rig, rig

ROW = {
    "task": "T1",
    "type": '"delay"',
    "payload": '{ "seconds": 2.0 }',
    "priority": "0",
    "max_attempts": None,
}


class Concludes:
    """A probe with a last look."""

    name: ClassVar[str] = "concludes"

    def __init__(self, failure: Exception | None = None) -> None:
        self.failure = failure

    async def run(self, stage: Stage) -> None:
        """Nothing until then."""

    async def conclude(self, stage: Stage) -> None:
        """Record one sample, or break."""
        if self.failure is not None:
            raise self.failure
        stage.record(Sample(t=stage.clock.now(), probe=self.name, began=0.0))


def looked(
    tmp_path: Path, *probes: Any, rows: tuple[dict[str, Any], ...] = (ROW,), **failing: Exception
) -> list[Event]:
    """Accept the tasks T1 and T2, take the last looks, and return what they recorded."""

    async def main() -> list[Event]:
        bench: Rig = await rig(tmp_path)
        for task in ("T1", "T2"):
            bench.stage.record(
                Op(t=1.0, call="submit", client="tasks", outcome="ok", planned=1.0, sent=1.0, task=task)
            )
        bench.platform.rows = list(rows)
        bench.platform.failing = dict(failing)
        before = len(bench.events)
        await last_looks(bench.stage, probes)
        return bench.events[before:]

    return run(main())


def test_rows_are_read_as_values_and_a_missing_one_is_told(tmp_path: Path) -> None:
    """White space and the form of numbers are gone; the database's null is null; no row is no content."""
    one, two = looked(tmp_path)
    assert isinstance(one, Stored)
    assert one.content == {
        "type": '"delay"',
        "payload": '{"seconds":2}',
        "priority": "0",
        "max_attempts": "null",
    }
    assert isinstance(two, Stored)
    assert (two.task, two.content) == ("T2", None)


def test_what_can_not_be_read_is_noted_and_the_rest_goes_on(tmp_path: Path) -> None:
    """A database that refuses, a row that is no JSON, a probe that breaks: a note each, and the next probe looks."""
    refused = looked(tmp_path, Concludes(), query=InjectionError("refused"))
    assert [type(event) for event in refused] == [Noted, Sample]
    nonsense = looked(tmp_path, rows=({"task": "T1", "payload": "{"},))
    assert [type(event) for event in nonsense] == [Noted]
    events = looked(tmp_path, Concludes(RuntimeError("boom")), Concludes())
    assert [type(event) for event in events[2:]] == [Noted, Sample]
    assert "boom" in events[2].message  # type: ignore[attr-defined]
