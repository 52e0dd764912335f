"""dead_letters: what can never succeed is in the dead-letter queue, and nothing else is."""

from __future__ import annotations

from bisect import bisect_right
from collections.abc import Iterator
from typing import ClassVar

import msgspec

from capsize.checkers.circuits import callers
from capsize.checkers.figures import counted, verdict_of
from capsize.checkers.lives import Life, lives
from capsize.checkers.stories import tell
from capsize.core.events import Sample
from capsize.core.history import History
from capsize.core.verdict import Finding, Result


class DeadLetters(msgspec.Struct, frozen=True, kw_only=True):
    """Exactly the accepted tasks of the load ``unknown`` are dead-lettered, soon, each with its error.

    The service's dead-letter queue lists each of them in the final audit, and no other task: whatever else
    failed is to be tried again until it succeeds. At every look at the counts as many tasks are failed as had been
    accepted of that load ``within_s`` before. UNKNOWN when none of them was accepted or got a last word.
    """

    name: ClassVar[str] = "dead_letters"

    unknown: str = "unknown"
    within_s: float = 5.0

    def check(self, history: History) -> Result:
        """Compare the load's tasks with the queue's."""
        expected = callers(history, self.unknown)
        asked = [life for life in expected if life.reported is not None]
        found = [(life.task, why) for life in lives(history).acknowledged if (why := self._why(life))]
        late = list(self._late(history, expected))
        dead = sum(life.reported is not None and life.reported.dead_lettered for life in expected)
        summary = f"{counted(dead, 'task')} of an unknown type dead-lettered, and nothing else"
        findings = (*tell(history, "dead_letters", found), *late)
        if findings:
            summary = findings[0].message
        elif not asked:
            summary = "no task of an unknown type was accepted and asked about"
        return Result(
            checker=self.name,
            verdict=verdict_of(findings, unknown=not asked or len(asked) < len(expected)),
            summary=summary,
            measures={"unknown_accepted": len(expected), "dead_lettered": dead, "wrong": len(findings)},
            findings=findings,
        )

    def _why(self, life: Life) -> str | None:
        if life.reported is None:
            return None
        if life.client != self.unknown:
            if not life.reported.dead_lettered:
                return None
            return (
                f"task {life.task} of {life.client!r} was dead-lettered after "
                f"{counted(life.reported.attempts, 'failed attempt')}: {life.reported.error or 'no reason given'}"
            )
        if not life.reported.dead_lettered:
            return (
                f"task {life.task} is of an unknown type; the service calls it {life.reported.status}, and the "
                "dead-letter queue does not list it"
            )
        return None if life.reported.error else f"task {life.task} was dead-lettered without an error"

    def _late(self, history: History, expected: list[Life]) -> Iterator[Finding]:
        """Yield the first look that counts fewer failed tasks than there must have been."""
        accepted = sorted(life.acknowledged or 0.0 for life in expected)
        for sample in history.of(Sample):
            failed = sample.values.get("failed")
            if sample.probe != "stats" or sample.error is not None or not isinstance(failed, int):
                continue
            due = bisect_right(accepted, sample.began - self.within_s)
            if failed < due:
                message = (
                    f"at {sample.began:.3f} s {counted(due, 'task')} of an unknown type had been waiting for more "
                    f"than {self.within_s:g} s, and {failed} were failed"
                )
                yield Finding(anomaly="dead_letters", message=message)
                return
