"""intact: what was accepted is what the service holds, and the database is whole."""

from __future__ import annotations

from typing import Any

import pytest

from capsize.checkers.intact import Intact
from capsize.core.events import Reported
from capsize.core.verdict import Result, Verdict
from support.histories import Past

SENT = {"type": '"delay"', "payload": '{"seconds":0.5}'}
OTHER = SENT | {"payload": '{"seconds":1}'}
SOUND: dict[str, Any] = {
    "checksums": True,
    "checksum_failures": 0,
    "by": "amcheck",
    "relations": 300,
    "damage": [],
    "unread": [],
}


def accepted(*tasks: str) -> Past:
    """Return a past in which tasks were accepted."""
    past = Past("worker-1")
    for task in tasks:
        past.op(1.0, "submit", key=f"key-{task}", task=task, content=SENT)
    return past


def told(past: Past, content: dict[str, str], *tasks: str, status: str = "completed") -> Past:
    """The service's last word on tasks, with what it holds of them."""
    return past.add(*(Reported(t=9.0, task=task, status=status, content=content) for task in tasks))


def held(*tasks: str) -> Past:
    """Return a past in which all of it is as it was, in the service's word and in the table."""
    return told(accepted(*tasks), SENT, *tasks).stored(9.1, *tasks, content=SENT)


def judged(past: Past, *, database: bool = False) -> Result:
    """Judge a past."""
    return Intact(database=database).check(past.history())


def test_what_is_as_it_was_passes() -> None:
    """By the service's word and by the rows."""
    result = judged(held("T1", "T2"))
    assert result.verdict is Verdict.PASS
    assert result.measures["compared_with_service"] == result.measures["compared_with_database"] == 2


def test_an_altered_field_is_corrupted_with_both_values() -> None:
    """In the service's word, in the table, or in one of them only."""
    in_word = told(accepted("T1"), OTHER, "T1").stored(9.1, "T1", content=SENT)
    in_row = told(accepted("T1"), SENT, "T1").stored(9.1, "T1", content=OTHER)
    for past, who in ((in_word, "the service says"), (in_row, "the database has")):
        result = judged(past)
        assert result.verdict is Verdict.FAIL
        (finding,) = result.findings
        assert finding.anomaly == "corrupted"
        assert finding.task == "T1"
        assert f'payload was {{"seconds":0.5}} and {who} {{"seconds":1}}' in finding.message
        assert finding.story


def test_a_row_that_is_not_there_is_corrupted() -> None:
    """The service tells of the task from somewhere else; when it does not know it either, `lost` names it."""
    result = judged(told(accepted("T1"), SENT, "T1").stored(9.1, "T1"))
    assert [finding.anomaly for finding in result.findings] == ["corrupted"]
    gone = told(accepted("T1", "T2"), SENT, "T2").stored(9.1, "T2", content=SENT)
    told(gone, {}, "T1", status="missing").stored(9.1, "T1")
    assert judged(gone).verdict is Verdict.PASS


def test_a_deleted_task_is_not_compared() -> None:
    """Its client asked for it."""
    past = held("T2").op(1.0, "submit", key="k", task="T1", content=SENT).op(5.0, "delete", task="T1")
    assert judged(past.stored(9.1, "T1")).verdict is Verdict.PASS


def test_only_what_both_sides_tell_is_compared() -> None:
    """A field that one side does not speak of is no difference."""
    assert judged(told(accepted("T1"), {"type": '"delay"', "more": "1"}, "T1")).verdict is Verdict.PASS


def test_without_anything_to_compare_it_is_unknown() -> None:
    """No task; a history from before contents were recorded; a service that gave no word on one task."""
    assert judged(Past()).verdict is Verdict.UNKNOWN
    old = Past().submit(1.0, "T1").reported(9.0, "completed", "T1")
    assert judged(old).verdict is Verdict.UNKNOWN
    silent = told(accepted("T1", "T2"), SENT, "T1")
    result = judged(silent)
    assert result.verdict is Verdict.UNKNOWN
    assert "1 accepted task" in result.summary


def test_the_database_is_asked_only_where_the_plan_demands_it() -> None:
    """Then missing rows, a missing last look, and one that failed are UNKNOWN."""
    past = held("T1")
    assert judged(past).verdict is Verdict.PASS
    result = judged(past, database=True)
    assert (result.verdict, "read through" in result.summary) == (Verdict.UNKNOWN, True)
    assert judged(held("T1").sample(9.2, "integrity", subject="whole", **SOUND), database=True).verdict is (
        Verdict.PASS
    )
    without_rows = told(accepted("T1"), SENT, "T1").sample(9.2, "integrity", subject="whole", **SOUND)
    assert "rows of 1 accepted task were not read" in judged(without_rows, database=True).summary
    failed = held("T1").sample(9.2, "integrity", subject="whole", error="refused")
    assert judged(failed, database=True).verdict is Verdict.UNKNOWN


@pytest.mark.parametrize(
    ("change", "verdict", "said"),
    [
        ({}, Verdict.PASS, "300 tables and indexes"),
        ({"unread": ["tasks: no time was left"]}, Verdict.UNKNOWN, "no time was left"),
        ({"checksums": False}, Verdict.PARTIAL, "no checksums"),
        ({"checksum_failures": 2}, Verdict.FAIL, "wrong checksum on 2 pages"),
        ({"damage": ["tasks, block 3: line pointer"]}, Verdict.FAIL, "tasks, block 3"),
    ],
)
def test_the_last_look_decides(change: dict[str, Any], verdict: Verdict, said: str) -> None:
    """What is damaged fails, what was not read leaves it open, pages without checksums are a known weakness."""
    result = judged(held("T1").sample(9.2, "integrity", subject="whole", **(SOUND | change)), database=True)
    assert result.verdict is verdict
    assert said in result.summary
    assert all(finding.anomaly == "corrupted" for finding in result.findings)


def test_a_wrong_checksum_in_the_middle_is_not_forgotten() -> None:
    """The count starts anew when the server crashes; looks during an outage say nothing."""
    past = held("T1").sample(3.0, "integrity", checksums=True, checksum_failures=1)
    past.sample(4.0, "integrity", error="refused").sample(9.2, "integrity", subject="whole", **SOUND)
    assert judged(past, database=True).verdict is Verdict.FAIL
