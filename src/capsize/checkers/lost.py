"""lost: accepted work that nobody did."""

from __future__ import annotations

from typing import ClassVar

import msgspec

from capsize.checkers.figures import counted, verdict_of
from capsize.checkers.lives import Life, lives
from capsize.checkers.stories import tell
from capsize.core.history import History
from capsize.core.verdict import Result


class Lost(msgspec.Struct, frozen=True, kw_only=True):
    """Every acknowledged task finished, or is in the service's dead-letter queue.

    A task that the service calls failed and that its dead-letter queue does not list is lost: nobody will see it.

    A task of which the service says that it does not know it is lost in any case. ``cancelled`` counts as kept
    only when a client asked for it. A task that the service calls completed without a finish at the witness
    is for ``misreported`` to name. With ``drained`` false the run was ended with work still to do, by design:
    what the service then still lists as pending or running is kept. With ``drained`` it is lost; if its worker
    died, ``stuck`` names the same task too, since both are true of it.

    ``keeps_records`` false: the service forgets a task some time after it is over, as libraries with results
    that expire do; then a task that it does not know is lost only if the witness did not see it finish.

    ``audited`` false: the service can't be asked; then a task that the witness did not see finish is lost when
    the run waited for all work to be over.

    UNKNOWN when the service gave no last word on a task that the witness did not see finish, or on any task at
    all, and when no task was acknowledged.
    """

    name: ClassVar[str] = "lost"

    drained: bool = True
    keeps_records: bool = True
    audited: bool = True

    def check(self, history: History) -> Result:
        """Lay the acknowledged submissions beside the witness's finishes and the service's last words."""
        known = lives(history)
        accepted = known.acknowledged
        found = [(life.task, why) for life in accepted if (why := self._why(life))]
        silent = [life for life in accepted if life.finished is None and life.reported is None]
        kept = [life for life in accepted if life.finished is None and life.status in ("pending", "running")]
        measures = {
            "accepted": len(accepted),
            "lost": len(found),
            "kept": 0 if self.drained else len(kept),
            "dead_lettered": sum(life.status == "failed" for life in accepted),
            "without_last_word": len(silent),
        }
        unknown = not accepted or (self.audited and (bool(silent) or not known.audited))
        return Result(
            checker=self.name,
            verdict=verdict_of(found, unknown=unknown),
            summary=self._summary(measures, known.audited or not self.audited),
            measures=measures,
            findings=tell(history, "lost", found),
        )

    def _why(self, life: Life) -> str | None:
        if life.status == "missing" and (self.keeps_records or life.finished is None):
            return (
                None if life.deletes else f"task {life.task} was accepted, and the service does not know it"
            )
        if not self.audited and life.status is None:
            unfinished = life.finished is None and self.drained
            return f"task {life.task} was accepted and never seen to finish" if unfinished else None
        if life.finished is not None or life.status in (None, "completed", "missing"):
            return None
        if life.status == "failed":
            listed = life.reported is None or life.reported.dead_lettered
            return None if listed else f"task {life.task} failed, and the dead-letter queue does not list it"
        if life.status == "cancelled":
            return None if life.cancels else f"task {life.task} was cancelled, and nobody asked for it"
        if not self.drained:
            return None
        runs = counted(len(life.runs), "run")
        return f"task {life.task} was never finished: {life.status} to the end, after {runs}"

    def _summary(self, measures: dict[str, int], audited: bool) -> str:
        accepted, lost = measures["accepted"], measures["lost"]
        if not accepted:
            return "no task was accepted, so nothing could be lost"
        if lost:
            return f"{lost} of {counted(accepted, 'accepted task')} lost"
        if not audited:
            return "the service was never asked for its last word, so lost tasks can't be told"
        if measures["without_last_word"]:
            missing = counted(measures["without_last_word"], "task")
            return f"no last word on {missing} that did not finish"
        kept = f", {measures['kept']} still waiting" if measures["kept"] else ""
        return f"none of {counted(accepted, 'accepted task')} lost{kept}"
