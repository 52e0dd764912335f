"""Which transaction a statement stands in, told by what the connection did before."""

from __future__ import annotations

import pytest

from capsize.proxy import Match
from capsize.proxy.postgres.transaction import STATEMENTS_MAX, Transaction


def test_what_came_before_is_remembered_until_the_end() -> None:
    """From BEGIN to COMMIT or ROLLBACK, under all their names."""
    followed = Transaction()
    assert followed.before(b"SELECT 1") is None
    assert followed.before(b"BEGIN") is None
    assert followed.before(b"INSERT INTO a VALUES (1)") == ()
    assert followed.before(b"SELECT 2") == ("INSERT INTO a VALUES (1)",)
    assert followed.before(b"COMMIT") == ("INSERT INTO a VALUES (1)", "SELECT 2")
    assert followed.before(b"SELECT 3") is None
    followed.before(b"START TRANSACTION")
    assert followed.before(b"ROLLBACK") == ()
    assert followed.before(b"SELECT 4") is None


def test_memory_is_bounded() -> None:
    """A transaction of any length keeps its first statements."""
    followed = Transaction()
    followed.before(b"BEGIN")
    for _ in range(STATEMENTS_MAX * 2):
        followed.before(b"SELECT 1")
    before = followed.before(b"COMMIT")
    assert before is not None
    assert len(before) == STATEMENTS_MAX


def test_a_match_on_the_transaction() -> None:
    """It holds behind what it names, in whatever order, and not outside of a transaction."""
    match = Match(command="COMMIT", transaction="insert into a.*insert into b")
    assert match.contextual
    assert match.holds_after(["INSERT INTO a", "SELECT 1", "INSERT INTO b"])
    assert not match.holds_after(["INSERT INTO b", "INSERT INTO a"])
    assert not match.holds_after(None)
    alone = Match(regex="^INSERT", alone=True)
    assert alone.holds_after(None)
    assert not alone.holds_after([])
    plain = Match(command="COMMIT")
    assert not plain.contextual
    assert plain.holds_after([])


@pytest.mark.parametrize(
    "fields",
    [
        {"startup": True, "alone": True},
        {"command": "COMMIT", "transaction": ""},
        {"command": "COMMIT", "transaction": "("},
        {"command": "COMMIT", "transaction": "x", "alone": True},
        {"transaction": "x"},
    ],
)
def test_matches_that_make_no_sense(fields: dict[str, object]) -> None:
    """They are refused where they are made."""
    with pytest.raises(ValueError, match=r"match|transaction|regex"):
        Match(**fields)  # type: ignore[arg-type]
