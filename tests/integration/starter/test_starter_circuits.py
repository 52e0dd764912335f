"""The circuit breaker's state in PostgreSQL, shared by all workers."""

import asyncio
from collections.abc import Callable

from starter_helpers import delay, until

from capsize_starter.breaker import Admission, BreakerPolicy, start_probe
from capsize_starter.queue import Claimed, Claims, NewTask, Queue, circuits

MakeClaims = Callable[..., Claims]
WAITING = """
    SELECT count(*) FROM pg_stat_activity
    WHERE wait_event_type = 'Lock' AND query LIKE '%breakers%' AND pid <> pg_backend_pid()"""


async def fail(claims: Claims, run: Claimed) -> None:
    assert await claims.fail(run.id, run.run, "boom", delay_s=0.0, blame_type=True)


async def admission(claims: Claims, type: str = "delay") -> Admission:
    return next(head.admission for head in await claims.peek() if head.type == type)


async def test_failures_of_several_workers_at_once_open_the_circuit(queue: Queue, claims: MakeClaims) -> None:
    """Five workers that fail at the same moment open it, not four; other types are not concerned."""
    await queue.enqueue_many([*[delay(0)] * 8, NewTask(type="webhook")])
    workers = [claims(f"w{n}") for n in range(5)]
    runs = [(await worker.claim("delay", 1))[0] for worker in workers]
    await asyncio.gather(*(fail(*pair) for pair in zip(workers[:4], runs[:4], strict=True)))
    assert await admission(workers[0]) is Admission.ALL
    await fail(workers[4], runs[4])
    assert await admission(workers[0]) is Admission.NONE
    assert await admission(workers[0], "webhook") is Admission.ALL
    [view] = await queue.breakers()
    assert (view.type, view.state, view.failures) == ("delay", "open", 5)


async def test_a_success_in_between_starts_the_count_anew(queue: Queue, claims: MakeClaims) -> None:
    """Only failures in a row count, whichever worker they come from."""
    worker = claims(policy=BreakerPolicy(2, 30.0))
    await queue.enqueue_many([delay(0)] * 3)
    for result in ("fail", "complete", "fail"):
        [run] = await worker.claim("delay", 1)
        if result == "fail":
            await fail(worker, run)
        else:
            assert await worker.complete(run.id, run.run, "delay", "1")
    [view] = await queue.breakers()
    assert (view.state, view.failures) == ("closed", 1)


async def test_half_open_lets_exactly_one_through(queue: Queue, claims: MakeClaims) -> None:
    """Six workers race for the probe and one gets it; the others wait until it has succeeded."""
    workers = [claims(f"w{n}", policy=BreakerPolicy(1, 0.0)) for n in range(6)]
    await queue.enqueue_many([delay(0)] * 10)
    await fail(workers[0], (await workers[0].claim("delay", 1))[0])
    got = await asyncio.gather(*(worker.claim_probe("delay") for worker in workers))
    probes = [run for runs in got for run in runs]
    assert len(probes) == 1
    assert await admission(workers[0]) is Admission.NONE
    assert (await queue.breakers())[0].state == "half_open"
    assert await workers[0].complete(probes[0].id, probes[0].run, "delay", "1")
    assert await admission(workers[0]) is Admission.ALL


async def test_a_worker_that_waited_for_the_circuit_sees_the_probe_that_was_started_meanwhile(
    queue: Queue, claims: MakeClaims
) -> None:
    """The second worker asks before the first one's probe is committed, and gets nothing."""
    first, second = (claims(name, policy=BreakerPolicy(1, 0.0)) for name in ("first", "second"))
    await queue.enqueue_many([delay(0)] * 3)
    await fail(first, (await first.claim("delay", 1))[0])
    async with first._db.transaction() as connection:
        circuit, _, _ = await circuits.lock(connection, "delay")
        asking = asyncio.create_task(second.claim_probe("delay"))
        await until(lambda: queue._db.fetchval(WAITING), why="the second worker waits for the lock")
        [probe] = await first._start(connection, "delay", 1, None)
        await circuits.save(connection, "delay", start_probe(circuit, (probe.id, probe.run)))
    assert await asking == []


async def test_a_failed_probe_opens_again_and_late_results_say_nothing(
    queue: Queue, claims: MakeClaims
) -> None:
    """A run that began before the circuit opened neither closes nor reopens it; the probe does."""
    worker = claims(policy=BreakerPolicy(1, 0.0))
    await queue.enqueue_many([delay(0)] * 4)
    first, early, late = await worker.claim("delay", 3)
    await fail(worker, first)
    [probe] = await worker.claim_probe("delay")
    assert await worker.complete(early.id, early.run, "delay", "1")
    await fail(worker, late)
    assert (await queue.breakers())[0].state == "half_open"
    await fail(worker, probe)
    assert (await queue.breakers())[0].state == "open"


async def test_a_lost_probe_makes_room_for_the_next(queue: Queue, claims: MakeClaims) -> None:
    """A probe whose worker died does not keep the circuit half open for ever."""
    policy = BreakerPolicy(1, 0.0)
    dying, living = claims("dying", lease_s=0.0, policy=policy), claims("living", policy=policy)
    await queue.enqueue_many([delay(0)] * 3)
    await fail(living, (await living.claim("delay", 1))[0])
    assert await dying.claim_probe("delay")
    assert await living.claim_probe("delay") == []
    await asyncio.sleep(0.01)
    assert await living.reap()
    assert len(await living.claim_probe("delay")) == 1


async def test_an_unknown_type_is_refused_and_its_circuit_opens(queue: Queue, claims: MakeClaims) -> None:
    """All its tasks are in the dead-letter queue at once, each with one attempt; nothing else is touched."""
    await queue.enqueue_many([NewTask(type="nonsense")] * 3 + [delay(0)])
    assert await claims().refuse("nonsense") == 3
    stats = await queue.stats()
    assert (stats.dead_letter, stats.pending) == (3, 1)
    [view] = await queue.breakers()
    assert (view.type, view.state) == ("nonsense", "open")
    assert {task.attempts for task in (await queue.dead_letters()).items} == {1}
