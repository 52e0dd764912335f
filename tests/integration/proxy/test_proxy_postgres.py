"""Rules on a real PostgreSQL, with two real drivers: each action fires where it must, and not elsewhere."""

from __future__ import annotations

import asyncio
import time
from pathlib import Path

import asyncpg
import psycopg
import pytest

from capsize.proxy import Fired, Proxy
from capsize.proxy.rules import RuleChange
from support.proxying import LIMIT_S, add, database_url, proxied, rule
from support.waiting import until

LOST = (asyncpg.PostgresConnectionError, asyncpg.InterfaceError, ConnectionError)


async def ids(direct: asyncpg.Connection) -> list[int]:
    return [row["id"] for row in await direct.fetch("SELECT id FROM tasks ORDER BY id")]


async def psycopg_connection(url: str, **more: object) -> psycopg.AsyncConnection[tuple[object, ...]]:
    return await psycopg.AsyncConnection.connect(url, **more)  # type: ignore[arg-type]


# ---------------------------------------------------------------- drop


async def test_the_lost_answer_to_commit(proxy: Proxy, url: str, direct: asyncpg.Connection) -> None:
    """The server commits, the client sees its connection break; the next COMMIT gets its answer."""
    made = rule(proxy, "drop", {"command": "COMMIT"}, when="after", first_n=1)
    connection = await asyncpg.connect(url)
    with pytest.raises(LOST):
        async with connection.transaction():
            await connection.execute("INSERT INTO tasks VALUES (1, 'x')")
    assert await ids(direct) == [1]
    assert made.hits == 1
    again = await asyncpg.connect(url)
    async with again.transaction():
        await again.execute("INSERT INTO tasks VALUES (2, 'x')")
    assert await ids(direct) == [1, 2]
    assert (made.matched, made.hits) == (2, 1)
    await again.close()


async def test_a_commit_that_never_arrived(proxy: Proxy, url: str, direct: asyncpg.Connection) -> None:
    """Dropped before: the transaction is rolled back."""
    rule(proxy, "drop", {"command": "COMMIT"}, when="before")
    connection = await asyncpg.connect(url)
    with pytest.raises(LOST):
        async with connection.transaction():
            await connection.execute("INSERT INTO tasks VALUES (1, 'x')")
    assert await ids(direct) == []


async def test_a_prepared_autocommit_insert_is_durable_before_the_drop(
    proxy: Proxy, url: str, direct: asyncpg.Connection
) -> None:
    """In the extended protocol the commit comes with the Sync: the cut waits for it."""
    connection = await asyncpg.connect(url)
    insert = await connection.prepare("INSERT INTO tasks VALUES ($1, $2) RETURNING id")
    assert await insert.fetchval(1, "kept") == 1
    # The statement was prepared before there was a rule.
    rule(proxy, "drop", {"table": "tasks"}, when="after")
    with pytest.raises(LOST):
        await insert.fetchval(2, "ambiguous")
    assert await ids(direct) == [1, 2]


async def test_statements_of_another_table_pass(proxy: Proxy, url: str, direct: asyncpg.Connection) -> None:
    """A rule on a name does not fire on literals, comments or longer names."""
    made = rule(proxy, "drop", {"table": "tasks"}, when="before")
    connection = await asyncpg.connect(url)
    for text in ("SELECT 'tasks'", "SELECT 1 -- tasks", "SELECT 1 AS tasks_old", "SELECT $$tasks$$"):
        await connection.fetchval(text)
    assert made.matched == 0
    await connection.close()


async def test_psycopg_loses_the_answer_too(proxy: Proxy, url: str, direct: asyncpg.Connection) -> None:
    """The same with libpq: the row is there and the client got an OperationalError."""
    rule(proxy, "drop", {"command": "COMMIT"}, when="after", how="close")
    connection = await psycopg_connection(url)
    await connection.execute("INSERT INTO tasks VALUES (%s, %s)", (1, "x"))
    with pytest.raises(psycopg.OperationalError):
        await connection.commit()
    assert await ids(direct) == [1]


async def test_a_pipeline_is_cut_at_the_right_place(
    proxy: Proxy, url: str, direct: asyncpg.Connection
) -> None:
    """Replies before the statement arrive, its own does not; what is sent behind it is not carried out."""
    rule(proxy, "drop", {"regex": "VALUES .*second"}, when="before", how="close")
    connection = await psycopg_connection(url, autocommit=True)

    async def send() -> None:
        async with connection.pipeline() as pipeline:
            await connection.execute("INSERT INTO tasks VALUES (1, 'first')")
            await pipeline.sync()
            await connection.execute("INSERT INTO tasks VALUES (2, 'second')")
            await pipeline.sync()
            await connection.execute("INSERT INTO tasks VALUES (3, 'third')")

    with pytest.raises(psycopg.OperationalError):
        await send()
    await asyncio.sleep(0.1)
    assert await ids(direct) == [1]


# ---------------------------------------------------------------- delay


@pytest.mark.parametrize("when", ["before", "after"])
async def test_delay(proxy: Proxy, url: str, direct: asyncpg.Connection, when: str) -> None:
    """Only the statement that fits takes longer; before: its effect comes late as well."""
    rule(proxy, "delay", {"command": "INSERT"}, when=when, delay_s=0.4)
    connection = await asyncpg.connect(url)
    began = time.monotonic()
    await connection.fetchval("SELECT 1")
    assert time.monotonic() - began < 0.3
    began = time.monotonic()
    insert = asyncio.create_task(connection.execute("INSERT INTO tasks VALUES (1, 'x')"))
    if when == "after":
        async with asyncio.timeout(LIMIT_S):
            while await ids(direct) != [1]:  # noqa: ASYNC110 - the effect has no event
                await asyncio.sleep(0.01)
        assert not insert.done()
    else:
        await asyncio.sleep(0.1)
        assert await ids(direct) == []
    await insert
    assert time.monotonic() - began >= 0.39
    assert await ids(direct) == [1]
    await connection.close()


# ---------------------------------------------------------------- error


@pytest.mark.parametrize("code", ["40001", "40P01", "25006", "55P03"])
async def test_errors_leave_the_connection_usable(
    proxy: Proxy, url: str, direct: asyncpg.Connection, code: str
) -> None:
    """The first two get the SQLSTATE and have no effect, the third is carried out; simple protocol."""
    made = rule(proxy, "error", {"command": "INSERT"}, sqlstate=code, first_n=2)
    connection = await asyncpg.connect(url)
    for _ in range(2):
        with pytest.raises(asyncpg.PostgresError) as caught:
            await connection.execute("INSERT INTO tasks VALUES (1, 'x')")
        assert caught.value.sqlstate == code
    assert await ids(direct) == []
    await connection.execute("INSERT INTO tasks VALUES (1, 'x')")
    assert await ids(direct) == [1]
    assert made.hits == 2
    await connection.close()


async def test_an_error_in_the_extended_protocol_skips_to_the_sync(
    proxy: Proxy, url: str, direct: asyncpg.Connection
) -> None:
    """A prepared statement fails with the code and works the next time, on the same connection."""
    connection = await asyncpg.connect(url)
    insert = await connection.prepare("INSERT INTO tasks VALUES ($1, $2)")
    rule(proxy, "error", {"table": "tasks"}, sqlstate="40001", first_n=1)
    with pytest.raises(asyncpg.SerializationError):
        await insert.fetch(1, "x")
    await insert.fetch(1, "x")
    assert await ids(direct) == [1]
    await connection.close()


async def test_an_error_fails_the_transaction_in_the_server_too(
    proxy: Proxy, url: str, direct: asyncpg.Connection
) -> None:
    """After the injected error the server refuses further statements, and COMMIT rolls back."""
    rule(proxy, "error", {"regex": "fails"}, sqlstate="40P01")
    connection = await asyncpg.connect(url)
    await connection.execute("BEGIN")
    await connection.execute("INSERT INTO tasks VALUES (1, 'x')")
    with pytest.raises(asyncpg.DeadlockDetectedError):
        await connection.execute("INSERT INTO tasks VALUES (2, 'fails')")
    with pytest.raises(asyncpg.InFailedSQLTransactionError):
        await connection.execute("SELECT 1")
    assert await connection.execute("COMMIT") == "ROLLBACK"
    assert await ids(direct) == []
    await connection.close()


async def test_psycopg_sees_the_error_and_its_transaction_state(
    proxy: Proxy, url: str, direct: asyncpg.Connection
) -> None:
    """libpq gets the code and a failed transaction, and goes on after the rollback."""
    rule(proxy, "error", {"table": "tasks"}, sqlstate="40001", first_n=1)
    connection = await psycopg_connection(url)
    with pytest.raises(psycopg.errors.SerializationFailure):
        await connection.execute("INSERT INTO tasks VALUES (%s, %s)", (1, "x"))
    assert connection.info.transaction_status == psycopg.pq.TransactionStatus.INERROR
    await connection.rollback()
    await connection.execute("INSERT INTO tasks VALUES (%s, %s)", (2, "x"))
    await connection.commit()
    assert await ids(direct) == [2]
    await connection.close()


@pytest.mark.parametrize("code", ["57P01", "08006"])
async def test_fatal_errors_end_the_connection(
    proxy: Proxy, url: str, direct: asyncpg.Connection, code: str
) -> None:
    """The client sees the code, then the end; the statement had no effect."""
    rule(proxy, "error", {"command": "INSERT"}, sqlstate=code)
    connection = await psycopg_connection(url, autocommit=True)
    with pytest.raises(psycopg.OperationalError) as caught:
        await connection.execute("INSERT INTO tasks VALUES (1, 'x')")
    assert caught.value.sqlstate == code
    assert connection.closed
    assert await ids(direct) == []
    await until(lambda: not proxy.links)


async def test_no_slots_left_at_the_start_of_a_connection(proxy: Proxy, url: str) -> None:
    """53300 on startup for the first connection only, without asking the server."""
    rule(proxy, "error", {"startup": True}, sqlstate="53300", first_n=1)
    with pytest.raises(asyncpg.TooManyConnectionsError):
        await asyncpg.connect(url)
    connection = await asyncpg.connect(url)
    assert await connection.fetchval("SELECT 1") == 1
    await connection.close()


@pytest.mark.parametrize("when", ["before", "after"])
async def test_the_beginning_of_a_connection_can_be_slow(proxy: Proxy, url: str, when: str) -> None:
    """A rule on startup delays it, also behind the password exchange, and no statement afterwards."""
    made = rule(proxy, "delay", {"startup": True}, when=when, delay_s=0.4)
    began = time.monotonic()
    connection = await asyncpg.connect(url)
    assert time.monotonic() - began >= 0.4
    assert await connection.fetchval("SELECT 1") == 1
    assert made.hits == 1
    await connection.close()


async def test_a_connection_dropped_at_its_beginning(proxy: Proxy, url: str) -> None:
    """The first one is cut before the server hears of it, the second one works."""
    rule(proxy, "drop", {"startup": True}, first_n=1)
    with pytest.raises(LOST):
        await asyncpg.connect(url)
    connection = await asyncpg.connect(url)
    await connection.close()


async def test_an_error_behind_a_real_one_in_a_pipeline_takes_its_hit_back(
    proxy: Proxy, url: str, direct: asyncpg.Connection
) -> None:
    """The server skips to the Sync after a real error: the rule had no effect and may fire again."""
    made = rule(proxy, "error", {"regex": "later"}, sqlstate="40001", first_n=1)
    connection = await psycopg_connection(url, autocommit=True)

    async def send() -> None:
        async with connection.pipeline():
            await connection.execute("SELECT * FROM nowhere_to_be_found")
            await connection.execute("INSERT INTO tasks VALUES (1, 'later')")

    with pytest.raises(psycopg.errors.UndefinedTable):
        await send()
    await until(lambda: made.hits == 0)
    with pytest.raises(psycopg.errors.SerializationFailure):
        await connection.execute("INSERT INTO tasks VALUES (1, 'later')")
    assert made.hits == 1
    await connection.close()


async def test_probability_draws_by_the_seed(proxy: Proxy, url: str, direct: asyncpg.Connection) -> None:
    """About a third fails, and the same ones for a rule of the same name and seed."""

    async def failed(connection: asyncpg.Connection) -> list[bool]:
        rule(proxy, "error", {"regex": "SELECT 7"}, sqlstate="40001", probability=0.33, name="third")
        outcomes = []
        for _ in range(60):
            try:
                await connection.execute("SELECT 7")
                outcomes.append(False)
            except asyncpg.SerializationError:
                outcomes.append(True)
        proxy.rules.remove("third")
        return outcomes

    connection = await asyncpg.connect(url)
    first = await failed(connection)
    assert first == await failed(connection)
    assert 8 <= sum(first) <= 35
    await connection.close()


# ---------------------------------------------------------------- callback


async def test_a_callback_between_effect_and_acknowledgement(
    proxy: Proxy, url: str, direct: asyncpg.Connection
) -> None:
    """While it is awaited the row is committed and the client knows nothing; then the reply arrives."""
    seen: list[tuple[Fired, list[int], bool]] = []
    connection = await asyncpg.connect(url)

    async def called(fired: Fired) -> None:
        seen.append((fired, await ids(direct), insert.done()))

    rule(proxy, "callback", {"command": "INSERT"}, call=called)
    insert = asyncio.create_task(connection.fetchval("INSERT INTO tasks VALUES ($1, 'x') RETURNING id", 5))
    assert await insert == 5
    (fired, there, done) = seen[0]
    assert there == [5]
    assert not done
    assert "INSERT INTO tasks" in fired.statement
    assert fired.client.startswith("127.0.0.1:")
    await connection.execute("SELECT 1")
    assert len(seen) == 1
    await connection.close()


async def test_a_callback_by_http_before_the_statement(
    proxy: Proxy, url: str, direct: asyncpg.Connection
) -> None:
    """The POST is answered before the statement is sent; one that fails is counted and lets it go on."""
    bodies: list[bytes] = []

    async def receive(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        bodies.append(await reader.readuntil(b"}"))
        assert await ids(direct) == []
        writer.write(b"HTTP/1.1 204 No Content\r\n\r\n")
        writer.close()

    server = await asyncio.start_server(receive, "127.0.0.1", 0)
    port = server.sockets[0].getsockname()[1]
    made = rule(
        proxy, "callback", {"table": "tasks"}, url=f"http://127.0.0.1:{port}/hit", when="before", first_n=1
    )
    connection = await asyncpg.connect(url)
    await connection.execute("INSERT INTO tasks VALUES (1, 'x')")
    assert b'"when":"before"' in bodies[0]
    assert bodies[0].startswith(b"POST /hit ")
    server.close()
    proxy.rules.update(made.name, RuleChange(first_n=2))
    await connection.execute("INSERT INTO tasks VALUES (2, 'x')")
    assert made.failed == 1
    assert "Connect" in made.last_error
    await connection.close()


async def test_a_callback_may_kill_its_client(proxy: Proxy, url: str, direct: asyncpg.Connection) -> None:
    """A client that dies while its reply is held leaves nothing behind, and its effect stays."""
    connection = await asyncpg.connect(url)

    async def kill(fired: Fired) -> None:
        connection.terminate()

    made = rule(proxy, "callback", {"command": "INSERT"}, call=kill)
    with pytest.raises(LOST):
        await connection.execute("INSERT INTO tasks VALUES (1, 'x')")
    await until(lambda: not proxy.links)
    assert await ids(direct) == [1]
    assert (made.hits, made.failed) == (1, 0)


# ---------------------------------------------------------------- what must simply pass


async def test_copy_large_rows_and_notifications_pass(
    proxy: Proxy, url: str, direct: asyncpg.Connection
) -> None:
    """With rules loaded that do not fit, everything a service does arrives unchanged."""
    rule(proxy, "drop", {"command": "TRUNCATE"}, when="after")
    connection = await asyncpg.connect(url)
    rows = [(number, "n" * (number % 1000)) for number in range(20_000)]
    await connection.copy_records_to_table("tasks", records=rows)
    assert await connection.fetchval("SELECT count(*) FROM tasks") == 20_000
    got = await connection.fetch("SELECT id, note FROM tasks ORDER BY id")
    assert [tuple(row) for row in got] == rows
    big = "y" * 5_000_000
    assert await connection.fetchval("SELECT $1::text", big) == big
    heard = asyncio.Event()
    await connection.add_listener("news", lambda *_: heard.set())
    await direct.execute("NOTIFY news")
    async with asyncio.timeout(LIMIT_S):
        await heard.wait()
    await connection.close()


async def test_psycopg_copy_both_ways_and_a_rule_behind_it(
    proxy: Proxy, url: str, direct: asyncpg.Connection
) -> None:
    """COPY in and out pass, and the count of replies is right afterwards: the next COMMIT is the one cut."""
    rule(proxy, "drop", {"command": "COMMIT"}, when="after", skip=1)
    connection = await psycopg_connection(url)
    async with connection.cursor() as cursor:
        async with cursor.copy("COPY tasks FROM STDIN") as copy:
            for number in range(5_000):
                await copy.write_row((number, "text"))
        received = 0
        async with cursor.copy("COPY tasks TO STDOUT") as copy:
            async for block in copy:
                received += len(bytes(block))
    assert received > 40_000
    await connection.commit()
    await connection.execute("DELETE FROM tasks WHERE id > 10")
    with pytest.raises(psycopg.OperationalError):
        await connection.commit()
    assert len(await ids(direct)) == 11


async def test_the_reply_to_a_copy_is_lost(proxy: Proxy, url: str, direct: asyncpg.Connection) -> None:
    """The server's request for data passes although the reply is withheld, so the copy is carried out."""
    rule(proxy, "drop", {"command": "COPY"}, when="after")
    connection = await asyncpg.connect(url)
    with pytest.raises(LOST):
        await connection.copy_records_to_table("tasks", records=[(1, "x"), (2, "y")])
    assert await ids(direct) == [1, 2]


async def test_cancel_requests_pass(proxy: Proxy, url: str) -> None:
    """A statement that runs long is cancelled over a connection of its own, as drivers do."""
    connection = await psycopg_connection(url, autocommit=True)
    running = asyncio.create_task(connection.execute("SELECT pg_sleep(60)"))
    await asyncio.sleep(0.2)
    await connection.cancel_safe()
    with pytest.raises(psycopg.errors.QueryCanceled):
        async with asyncio.timeout(LIMIT_S):
            await running
    await connection.close()


async def test_many_rows_held_for_a_callback_stay_bounded(
    proxy: Proxy, url: str, direct: asyncpg.Connection
) -> None:
    """Rows beyond a megabyte go on; the end of the command is held until the callback is over."""
    order: list[str] = []

    async def called(fired: Fired) -> None:
        order.append("callback")

    rule(proxy, "callback", {"regex": "generate_series"}, call=called)
    connection = await asyncpg.connect(url)
    rows = await connection.fetch("SELECT repeat('r', 1000) FROM generate_series(1, 6000)")
    order.append("reply")
    assert len(rows) == 6000
    assert order == ["callback", "reply"]
    await connection.close()


@pytest.mark.parametrize("size", [1, 3, 7])
async def test_rules_work_however_the_bytes_are_cut(
    proxy: Proxy, url: str, direct: asyncpg.Connection, size: int
) -> None:
    """With both directions cut into tiny pieces before and behind the scanner, errors and drops are the same."""
    front = rule(proxy, "error", {"regex": "first"}, sqlstate="40001")
    rule(proxy, "drop", {"regex": "second"}, when="after")
    async with proxied(int(proxy.listen.rpartition(":")[2]), protocol="tcp") as slicing:
        add(slicing, "slicer", "upstream", average_size=size)
        add(proxy, "slicer", "upstream", average_size=size)
        outer = url.replace(proxy.listen, slicing.listen)
        connection = await asyncpg.connect(outer)
        with pytest.raises(asyncpg.SerializationError):
            await connection.execute("INSERT INTO tasks VALUES (1, 'first')")
        insert = await connection.prepare("INSERT INTO tasks VALUES ($1, 'second')")
        with pytest.raises(LOST):
            await insert.fetch(2)
    assert await ids(direct) == [2]
    assert front.hits == 1


async def test_a_server_that_cuts_its_replies_small(
    postgres_port: int, direct: asyncpg.Connection, tmp_path: Path
) -> None:
    """The server's direction is followed byte by byte as well."""

    async with proxied(postgres_port, protocol="tcp") as behind:
        add(behind, "slicer", "downstream", average_size=2, size_variation=1)
        async with proxied(int(behind.listen.rpartition(":")[2])) as front:
            rule(front, "error", {"regex": "first"}, sqlstate="40001")
            rule(front, "drop", {"regex": "second"}, when="after")
            connection = await asyncpg.connect(database_url(int(front.listen.rpartition(":")[2])))
            with pytest.raises(asyncpg.SerializationError):
                await connection.execute("INSERT INTO tasks VALUES (1, 'first')")
            assert await connection.fetchval("SELECT $1::int", 5) == 5
            with pytest.raises(LOST):
                await connection.execute("INSERT INTO tasks VALUES (2, 'second')")
    assert await ids(direct) == [2]


async def test_under_every_rule_at_once_the_record_is_right(
    proxy: Proxy, url: str, direct: asyncpg.Connection
) -> None:
    """240 transactions by 8 clients: what was acknowledged is there, what was refused is not, and each lost
    answer to COMMIT was a commit, since nothing else could lose it."""
    lost = rule(proxy, "drop", {"command": "COMMIT"}, when="after", probability=0.15)
    refused = rule(proxy, "error", {"table": "tasks"}, sqlstate="40001", probability=0.15)
    rule(proxy, "delay", {"command": "BEGIN"}, delay_s=0.002, probability=0.3)
    rule(proxy, "delay", {"table": "tasks"}, delay_s=0.002, probability=0.3, when="after")
    outcomes: dict[int, str] = {}

    async def client(number: int) -> None:
        connection = await asyncpg.connect(url)
        for key in range(number * 30, number * 30 + 30):
            try:
                async with connection.transaction():
                    await connection.execute("INSERT INTO tasks VALUES ($1, 'x')", key)
                outcomes[key] = "ok"
            except asyncpg.SerializationError:
                outcomes[key] = "refused"
            except LOST:
                outcomes[key] = "lost"
                connection = await asyncpg.connect(url)
        await connection.close()

    await asyncio.gather(*(client(number) for number in range(8)))
    there = set(await ids(direct))
    by_outcome = {
        name: {key for key, how in outcomes.items() if how == name} for name in ("ok", "refused", "lost")
    }
    assert by_outcome["ok"] | by_outcome["lost"] == there
    assert len(by_outcome["lost"]) == lost.hits > 10
    assert len(by_outcome["refused"]) == refused.hits > 10
    await until(lambda: not proxy.links)
