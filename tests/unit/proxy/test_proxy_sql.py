"""Which statements a rule is about, on texts alone."""

from __future__ import annotations

import pytest

from capsize.proxy.postgres.actions.drop import Drop
from capsize.proxy.postgres.match import Match
from capsize.proxy.postgres.rule import Matcher, Rule
from capsize.proxy.postgres.statements import NAMES_MAX, TEXT_BYTES_MAX, Statements


@pytest.mark.parametrize(
    ("match", "fits", "does_not"),
    [
        (
            {"command": "commit"},
            ["COMMIT", "commit;", " /* x */ COMMIT", "END", "BEGIN; SELECT 1; COMMIT", "-- a\nCommit"],
            [
                "SELECT 'COMMIT'",
                "SELECT 1 /* ; COMMIT */",
                "SELECT '; COMMIT'",
                "ROLLBACK",
                'SELECT "; COMMIT"',
            ],
        ),
        ({"command": "BEGIN"}, ["begin", "START TRANSACTION ISOLATION LEVEL SERIALIZABLE"], ["SELECT 1"]),
        ({"command": "drop  table"}, ["DROP TABLE x"], ["DROP INDEX x"]),
        ({"command": "NOTIFY"}, ["NOTIFY c, 'x'"], ["SELECT pg_notify('c', 'x')"]),
        (
            {"table": "tasks"},
            ["SELECT * FROM tasks", 'UPDATE public."tasks" SET a=1', "select 1 from TASKS;"],
            [
                "SELECT * FROM tasks_old",
                "SELECT 'tasks'",
                "SELECT $$ tasks $$",
                "SELECT $a$ tasks $a$",
                "-- tasks",
            ],
        ),
        ({"regex": "pg_notify\\("}, ["SELECT PG_NOTIFY('a')"], ["NOTIFY a"]),
        (
            {"command": "INSERT", "table": "tasks"},
            ["INSERT INTO tasks VALUES (1)"],
            ["INSERT INTO x", "DELETE FROM tasks"],
        ),
        ({"table": "a"}, ["SELECT E'it\\'s' FROM a"], ["SELECT E'\\' a '"]),
        ({"table": "never"}, [], ["SELECT 'unterminated never", "/* never", "$$ never"]),
    ],
)
def test_a_match(match: dict[str, str], fits: list[str], does_not: list[str]) -> None:
    """Commands and names are found past comments and literals, and only there."""
    made = Match(**match)  # type: ignore[arg-type]
    assert [text for text in fits if not made.holds(text)] == []
    assert [text for text in does_not if made.holds(text)] == []


def test_hostile_texts_take_no_time() -> None:
    """64 KB of openings that never close are looked through at once."""
    for piece in ("/*", "'", '"', "$a$", "E'\\", "--", "$"):
        Match(command="COMMIT").holds(piece * (65_536 // len(piece)))


def test_a_rule_counts_what_it_skips_and_stops_after_its_first_n() -> None:
    """Of six statements the first two are skipped and three hit."""
    rule = Rule("r", Match(command="COMMIT"), Drop(), skip=2, first_n=3)
    assert [rule.fires() for _ in range(6)] == [False, False, True, True, True, False]
    assert (rule.matched, rule.hits) == (6, 3)


def test_the_matcher_remembers_and_stays_bounded() -> None:
    """The same text gets the same answer; texts of no end do not fill the memory."""
    rule = Rule("r", Match(command="COMMIT"), Drop())
    matcher = Matcher([rule])
    assert matcher.fitting(b"COMMIT") == matcher.fitting(b"COMMIT") == (rule,)
    for number in range(10_000):
        assert matcher.fitting(b"SELECT %d" % number) == ()
    assert len(matcher._known) <= 2_000
    assert matcher.fitting(b"\xff\xfe COMMIT; \xff") == ()


def test_statements_by_name_stay_bounded() -> None:
    """A client that prepares without end costs a megabyte at most, and the newest names are known."""
    known = Statements()
    for number in range(3 * NAMES_MAX):
        known.parse(b"s%d" % number, b"x" * 1000)
        known.bind(b"p%d" % number, b"s%d" % number)
    assert known._bytes <= TEXT_BYTES_MAX
    assert len(known._portals) <= NAMES_MAX
    assert known.text(b"p%d" % (3 * NAMES_MAX - 1)) == b"x" * 1000
    known.close(ord("S"), b"s%d" % (3 * NAMES_MAX - 1))
    known.bind(b"again", b"s%d" % (3 * NAMES_MAX - 1))
    assert known.text(b"again") is None
