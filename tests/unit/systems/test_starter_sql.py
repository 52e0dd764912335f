"""The table of the starter's transactions beside the starter's SQL: nothing that writes is forgotten or met twice."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

import capsize_starter
from capsize.proxy import Match
from capsize.systems.starter_sql import LEFT_OUT, TRANSACTIONS, Transaction
from capsize_starter.db import load_queries

FOLDER = Path(capsize_starter.__file__).parent
FILES = ("queue/queue.sql", "queue/claims.sql", "users/users.sql", "api/health.sql")
WRITES = re.compile(r"\b(INSERT INTO|UPDATE [a-z_]|DELETE FROM)", re.IGNORECASE)
QUERIES = {name: text for file in FILES for name, text in load_queries(FOLDER / file)._queries.items()}
WHOLE = {
    "login": ("prune_sessions", "open_session", "forgive", "prune_attempts"),
    "fail": ("fail", "circuit_create", "circuit_lock", "circuit_read", "circuit_save"),
    "refuse": ("refuse", "circuit_create", "circuit_lock", "circuit_read", "circuit_save"),
    "probe": ("circuit_create", "circuit_lock", "circuit_read", "claim", "circuit_save"),
    "circuit": ("circuit_create", "circuit_lock", "circuit_read", "circuit_save"),
}
"""What the starter does in each of its transactions, in order, before the COMMIT."""


def matching(kind: Transaction) -> Match:
    """Return the kind as the proxy matches it."""
    return Match(regex=kind.statement, transaction=kind.transaction, alone=kind.alone)


def test_every_statement_that_writes_belongs_to_one_kind() -> None:
    """To exactly one, or it is left out with a reason; and what only reads to none."""
    found: dict[str, list[str]] = {name: [] for name in QUERIES}
    for name, text in QUERIES.items():
        for kind in TRANSACTIONS:
            if kind.alone and matching(kind).holds(text) and matching(kind).holds_after(None):
                found[name].append(kind.name)
            if kind.name in WHOLE and WHOLE[kind.name][0] == name and not kind.alone:
                found[name].append(kind.name)
    writing = {
        name for name, text in QUERIES.items() if WRITES.search(re.sub(r"FOR (NO KEY )?UPDATE", "", text))
    }
    parts = {name for names in WHOLE.values() for name in names}
    for name in QUERIES:
        alone = [kind for kind in found[name] if kind not in WHOLE]
        if name not in writing or name in LEFT_OUT:
            assert not alone, name
        else:
            assert len(alone) == 1 or name in parts, (name, alone)
    assert set(LEFT_OUT) <= writing


@pytest.mark.parametrize(
    "kind", [kind for kind in TRANSACTIONS if not kind.alone], ids=lambda kind: kind.name
)
def test_a_commit_is_known_by_what_came_before_it(kind: Transaction) -> None:
    """Each transaction is recognised by its own kind, and by no other."""
    assert matching(kind).holds("COMMIT")
    for name, statements in WHOLE.items():
        before = [QUERIES[one] for one in statements]
        assert matching(kind).holds_after(before) == (name == kind.name), name
    assert not matching(kind).holds_after(None)


def test_a_claim_inside_of_a_probe_is_not_a_claim() -> None:
    """What is not committed yet is in no doubt."""
    claim = next(kind for kind in TRANSACTIONS if kind.name == "claim")
    assert matching(claim).holds(QUERIES["claim"])
    assert matching(claim).holds_after(None)
    assert not matching(claim).holds_after([QUERIES["circuit_create"]])
