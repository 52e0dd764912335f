"""intact: what was accepted is still what the service holds, and the database itself is whole."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any, ClassVar

import msgspec

from capsize.checkers.figures import counted
from capsize.checkers.lives import Life, lives
from capsize.checkers.stories import tell
from capsize.core.events import Sample
from capsize.core.history import History
from capsize.core.verdict import Finding, Result, Verdict

ANOMALY = "corrupted"
PROBE = "integrity"
WHOLE = "whole"
"""The subject of the probe's last look, which reads the whole database."""


class Intact(msgspec.Struct, frozen=True, kw_only=True):
    """Every accepted task is held as it was acknowledged, field by field, by the service's word and by its table.

    Corrupted is a task of which a field differs from its acknowledgement, or of which the service tells while
    its table has no row. With ``database`` the database itself must be whole as well: no page with a wrong
    checksum, and no damage in the last look at every table and index.

    UNKNOWN when an accepted task was compared neither with the service's word nor with its row (one that was
    deleted, or is missing, is for ``lost``); with ``database`` also when a row was not read, or not the
    whole database. PARTIAL when nothing is damaged and the pages carry no checksums.
    """

    name: ClassVar[str] = "intact"

    database: bool = False

    def check(self, history: History) -> Result:
        """Lay acknowledgements, last words and rows side by side, and hear what the looks at the database found."""
        there = [life for life in lives(history).acknowledged if not life.deletes]
        altered = [(life.task, why) for life in there if (why := _why(life))]
        held = [life for life in there if life.status != "missing"]
        state = _Database.of(history)
        damage = tuple(state.damage()) if self.database else ()
        measures = {
            "accepted": len(there),
            "compared_with_service": sum(_comparable(life, _word(life)) for life in held),
            "compared_with_database": sum(_comparable(life, _row(life)) for life in held),
            "altered": len({task for task, _ in altered}),
        }
        if self.database:
            measures |= state.measures
        doubt = self._doubt(held, state)
        weak = self.database and not state.checksums
        verdict = Verdict.PARTIAL if weak else Verdict.PASS
        return Result(
            checker=self.name,
            verdict=Verdict.FAIL if altered or damage else Verdict.UNKNOWN if doubt else verdict,
            summary=_summary(altered, damage, doubt, measures, weak=weak),
            measures=measures,
            findings=(
                *tell(history, ANOMALY, altered),
                *(Finding(anomaly=ANOMALY, message=message) for message in damage),
            ),
        )

    def _doubt(self, held: list[Life], state: _Database) -> str | None:
        """Return what evidence is missing."""
        if not held:
            return "no accepted task is left to compare"
        bare = [life for life in held if not _comparable(life, _word(life)) | _comparable(life, _row(life))]
        if bare:
            return f"not compared: {counted(len(bare), 'accepted task')}, since nobody told what they hold"
        if not self.database:
            return None
        unread = [life for life in held if not _comparable(life, _row(life))]
        if unread:
            return f"the rows of {counted(len(unread), 'accepted task')} were not read"
        return state.doubt()


class _Database(msgspec.Struct, frozen=True):
    """What was seen of the database's own integrity: the looks that brought something, and the last one."""

    looks: tuple[Sample, ...]
    whole: Sample | None

    @classmethod
    def of(cls, history: History) -> _Database:
        """Find the looks of a history."""
        looks = tuple(s for s in history.of(Sample) if s.probe == PROBE)
        whole = [look for look in looks if look.subject == WHOLE]
        return cls(looks, whole[-1] if whole else None)

    @property
    def checksums(self) -> bool:
        """Return whether the pages are known to carry checksums."""
        said = [look.values["checksums"] for look in self.looks if "checksums" in look.values]
        return bool(said) and all(said)

    @property
    def failures(self) -> int:
        """Return how many pages PostgreSQL found wrong; its count starts anew with a crash."""
        return max((int(look.values.get("checksum_failures", 0)) for look in self.looks), default=0)

    @property
    def measures(self) -> dict[str, Any]:
        """Return the figures."""
        whole = {} if self.whole is None else self.whole.values
        return {
            "checksums": self.checksums,
            "checksum_failures": self.failures,
            "relations_read": int(whole.get("relations", 0)),
            "read_by": str(whole.get("by", "")),
        }

    def damage(self) -> Iterator[str]:
        """Return each damage in a sentence."""
        if self.failures:
            yield f"PostgreSQL met a wrong checksum on {counted(self.failures, 'page')}"
        for where in [] if self.whole is None else self.whole.values.get("damage", ()):
            yield f"the database is damaged: {where}"

    def doubt(self) -> str | None:
        """Return why its integrity is not known."""
        if self.whole is None:
            return "the database was not read through at the end"
        if self.whole.error is not None:
            return f"the database could not be read through: {self.whole.error}"
        unread = self.whole.values.get("unread", ())
        return f"not read of the database: {'; '.join(unread[:3])}" if unread else None


def _word(life: Life) -> dict[str, str]:
    return {} if life.reported is None else life.reported.content


def _row(life: Life) -> dict[str, str]:
    return {} if life.stored is None else life.stored.content or {}


def _comparable(life: Life, told: dict[str, str]) -> bool:
    return bool(life.content.keys() & told.keys())


def _why(life: Life) -> str | None:
    """Return how what is held of a task differs from what was acknowledged."""
    differences = [
        f"{name} was {promised} and {held} {told[name]}"
        for held, told in (("the service says", _word(life)), ("the database has", _row(life)))
        for name, promised in life.content.items()
        if told.get(name, promised) != promised
    ]
    if differences:
        return f"task {life.task} was altered: {'; '.join(differences)}"
    gone = life.stored is not None and life.stored.content is None
    if gone and life.status != "missing":
        return f"the database has no row of task {life.task}, which the service accepted"
    return None


def _summary(
    altered: list[tuple[str, str]],
    damage: tuple[str, ...],
    doubt: str | None,
    measures: dict[str, Any],
    *,
    weak: bool,
) -> str:
    if altered:
        return f"{len(altered)} of {counted(measures['accepted'], 'accepted task')} corrupted"
    if damage:
        return damage[0]
    if doubt:
        return doubt
    both = (measures["compared_with_service"], measures["compared_with_database"])
    told = f"as acknowledged: {both[0]} tasks by the service's word, {both[1]} by their rows"
    if "relations_read" not in measures:
        return told
    whole = f"{told}; {measures['relations_read']} tables and indexes are sound ({measures['read_by']})"
    return f"{whole}; no checksums on the pages" if weak else whole
