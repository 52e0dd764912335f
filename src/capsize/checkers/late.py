"""late: finished, but after the deadline."""

from __future__ import annotations

from typing import ClassVar

import msgspec

from capsize.checkers.deadlines import Origin, due
from capsize.checkers.figures import counted, seconds
from capsize.checkers.lives import lives
from capsize.checkers.stories import tell
from capsize.core.history import History
from capsize.core.verdict import Result, Verdict


class Late(msgspec.Struct, frozen=True, kw_only=True):
    """No accepted task finished after its deadline, ``deadline_s`` from ``origin`` on.

    Where the deadline ``binds``, a late task is a finding and makes the run PARTIAL: how many must be in time
    for the run to pass at all is for ``completion`` to judge, and what never finished for ``lost``. Where it
    does not bind, late tasks are only counted. UNKNOWN when no accepted task finished.
    """

    name: ClassVar[str] = "late"

    deadline_s: float
    origin: Origin = "chaos"
    binds: bool = True

    def check(self, history: History) -> Result:
        """Compare each accepted task's first finish with its deadline."""
        done = [life for life in lives(history).acknowledged if life.finished is not None]
        over = {
            life.task: (life.finished or 0.0) - due(history, life, self.deadline_s, self.origin)
            for life in done
        }
        late = {task: by for task, by in over.items() if by > 0}
        found = [(task, f"task {task} finished {by:.1f} s after its deadline") for task, by in late.items()]
        if not done:
            verdict, summary = Verdict.UNKNOWN, "no accepted task finished"
        elif late:
            verdict = Verdict.PARTIAL if self.binds else Verdict.PASS
            worst = max(late.values())
            summary = f"{len(late)} of {counted(len(done), 'finished task')} late, by up to {worst:.1f} s"
        else:
            verdict, summary = Verdict.PASS, f"all {counted(len(done), 'finished task')} in time"
        return Result(
            checker=self.name,
            verdict=verdict,
            summary=summary,
            measures={"late": len(late), "late_max_s": seconds(max(late.values(), default=0.0))},
            findings=tell(history, "late", found) if self.binds else (),
        )
