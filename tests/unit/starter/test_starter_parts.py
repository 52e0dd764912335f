"""Settings, SQL files, leases, pace, logs, ids: the starter's small parts."""

import ast
import json
import logging
import re
import time
from pathlib import Path

import pytest

import capsize_starter
from capsize_starter.db import load_queries
from capsize_starter.db.migrate import MigrationError, find
from capsize_starter.handlers import LeaseLost
from capsize_starter.log import JsonFormatter
from capsize_starter.queue.model import new_id
from capsize_starter.settings import DatabaseSettings, SettingsError, WorkerSettings, load
from capsize_starter.worker.lease import Lease, lease_clock
from capsize_starter.worker.pace import PROOF, Pace

SOURCE = Path(capsize_starter.__file__).parent


def test_settings_come_from_the_environment() -> None:
    """Contract names have no prefix, all others have; an empty variable is an absent one."""
    worker = load(
        WorkerSettings,
        {"WORKER_ID": "w7", "WITNESS_URL": "", "STARTER_CONCURRENCY": "3", "STARTER_LEASE_S": "4.5"},
    )
    assert (worker.worker_id, worker.witness_url, worker.concurrency, worker.lease_s) == ("w7", "", 3, 4.5)
    assert load(DatabaseSettings, {"DATABASE_URL": "postgresql://x"}).url == "postgresql://x"


@pytest.mark.parametrize(
    "env",
    [
        {"STARTER_CONCURRENCY": "many"},
        {"STARTER_CONCURRENCY": "0"},
        {"STARTER_LEASE_S": "1", "STARTER_HEARTBEAT_S": "0.9"},
    ],
)
def test_a_bad_setting_is_named(env: dict[str, str]) -> None:
    """The message says which variable is wrong."""
    with pytest.raises(SettingsError, match="STARTER_"):
        load(WorkerSettings, env)


@pytest.mark.parametrize(
    "path",
    [SOURCE / "db/migrate.sql", SOURCE / "queue/queue.sql", SOURCE / "queue/claims.sql"],
    ids=lambda path: path.name,
)
def test_every_query_is_described_and_has_one_caller(path: Path) -> None:
    """Each named query stands once in the code of its package."""
    code = "".join(file.read_text() for file in path.parent.rglob("*.py"))
    for name, note in load_queries(path).notes.items():
        assert note
        assert len(re.findall(rf"\bSQL\.{name}\b", code)) == 1, name


def test_no_sql_stands_in_the_code() -> None:
    """Beyond the liveness check and transaction control, all SQL is in .sql files."""
    allowed = {"SELECT 1", "BEGIN", "COMMIT", "ROLLBACK"}
    for path in SOURCE.rglob("*.py"):
        for node in ast.walk(ast.parse(path.read_text())):
            if isinstance(node, ast.Constant) and isinstance(node.value, str) and node.value not in allowed:
                assert not re.match(r"\s*(SELECT|INSERT INTO|UPDATE|DELETE FROM|WITH)\s+\w", node.value), (
                    f"{path}: {node.value}"
                )


def test_migrations_are_numbered_without_a_clash(tmp_path: Path) -> None:
    """The files are found in order; a number that stands twice is refused."""
    assert [number for number, _ in find()] == sorted({number for number, _ in find()})
    for name in ("0001_a.sql", "0001_b.sql"):
        (tmp_path / name).touch()
    with pytest.raises(MigrationError):
        find(tmp_path)


def test_a_lease_ends_by_its_own_clock() -> None:
    """It counts from the moment before it was asked for; renewing never shortens it; once lost it stays lost."""
    asked_at = lease_clock()
    lease = Lease(asked_at, 10.0)
    assert lease.held(lambda: asked_at + 9.9)
    assert not lease.held(lambda: asked_at + 10.0)
    lease.renewed(asked_at + 5.0, 10.0)
    lease.renewed(asked_at + 1.0, 10.0)
    assert lease.held(lambda: asked_at + 14.9)
    lease.check()
    lease.lost = "cancelled"
    lease.renewed(asked_at + 100, 10.0)
    with pytest.raises(LeaseLost, match="cancelled"):
        lease.check()


def test_a_type_must_prove_itself_before_it_is_batched() -> None:
    """Batches begin after enough quick runs, hold 20 ms of work at most, and end with a failure or a slow run."""
    pace = Pace(batch_s=0.02, batch_max=500)
    pace.succeeded("t", 0.001 * (PROOF - 1), PROOF - 1)
    assert pace.batch("t") == 0
    pace.succeeded("t", 0.001)
    assert pace.batch("t") == 20
    pace.failed("t")
    assert pace.batch("t") == 0
    pace.succeeded("t", 0.001 * PROOF, PROOF)
    pace.succeeded("t", 1.0)
    assert pace.batch("t") == 0, "slower is believed at once"
    assert pace.batch("unknown") == 0
    off = Pace(batch_s=0.02, batch_max=0)
    off.succeeded("t", 0.0001 * PROOF, PROOF)
    assert off.batch("t") == 0


def test_ids_are_version_7_and_sort_by_time() -> None:
    """An id made a few milliseconds later is greater."""
    first = new_id()
    time.sleep(0.005)
    second = new_id()
    assert first < second
    assert (first.version, first.variant) == (7, "specified in RFC 4122")
    assert abs((first.int >> 80) / 1000 - time.time()) < 60


def test_a_log_line_is_one_json_object() -> None:
    """Fields are there by name, values of any type are written, newlines don't break the line."""
    record = logging.LogRecord("n", logging.INFO, "f", 1, "it.%s", ("happened",), None)
    record.fields = {"task": new_id(), "text": "a\nb"}
    text = JsonFormatter().format(record)
    assert "\n" not in text
    line = json.loads(text)
    assert (line["event"], line["level"], line["text"]) == ("it.happened", "info", "a\nb")
