"""Work that is done, and the dead-letter queue."""

from __future__ import annotations

import asyncio
import time

from capsize.cli.apicheck.judging import PROBLEM, TASK, Checks
from capsize.cli.apicheck.tasks import NOBODY, SOON

WORK_LIMIT_S = 15.0
LOOK_EVERY_S = 0.1
DONE, DEAD = "a task is worked on", "a task of an unknown type becomes a dead letter"


async def work(checks: Checks) -> None:
    """Check that tasks are worked on, and what becomes of those that can't be."""
    checks.part("Work and dead letters")
    dead = "/tasks/dead-letter"
    await checks.check(f"GET {dead}", 200, "items next_cursor", "GET", dead)
    await checks.check("a bad cursor of dead letters", 400, PROBLEM, "GET", f"{dead}?cursor=nonsense")
    await checks.check("requeueing an unknown task", 404, PROBLEM, "POST", f"{dead}/{NOBODY}/requeue")
    await checks.check("deleting an unknown dead letter", 404, PROBLEM, "DELETE", f"{dead}/{NOBODY}")
    if checks.workers:
        await _done(checks)
    else:
        checks.skip(DONE, "no worker is connected")
        checks.skip(DEAD, "no worker is connected")
    await checks.check(f"DELETE {dead}", 200, "deleted", "DELETE", dead)


async def _done(checks: Checks) -> None:
    task = (await checks.send("POST", "/tasks", SOON | {"priority": 100})).member("id")
    good = await _becomes(checks, task, "completed")
    checks.judge(DONE, good, f"after {WORK_LIMIT_S:g} s: {checks.answer.text[:300]}")
    # A type of its own each time: the circuit of this type is open afterwards.
    unknown = {"type": f"curl_unknown_{checks.mark}", "payload": {}}
    task = (await checks.send("POST", "/tasks", unknown)).member("id")
    if not await _becomes(checks, task, "failed"):
        checks.fail(DEAD, f"after {WORK_LIMIT_S:g} s: {checks.answer.text[:300]}")
        return
    checks.succeed(DEAD)
    listed = await checks.check("the dead letter is listed", 200, "items", "GET", "/tasks/dead-letter")
    checks.judge("it is this one", bool(task) and task in listed.text, listed.text[:300])
    path = f"/tasks/dead-letter/{task}"
    await checks.check("POST /tasks/dead-letter/{id}/requeue", 200, TASK, "POST", f"{path}/requeue")
    # Its type is still unknown, so it comes back by itself.
    if await _becomes(checks, task, "failed"):
        await checks.check("DELETE /tasks/dead-letter/{id}", 204, "", "DELETE", path)
    else:
        why = f"the requeued task did not fail again: {checks.answer.text[:300]}"
        checks.fail("DELETE /tasks/dead-letter/{id}", why)


async def _becomes(checks: Checks, task: str, status: str) -> bool:
    end = time.monotonic() + WORK_LIMIT_S
    while (await checks.send("GET", f"/tasks/{task}")).member("status") != status:
        if time.monotonic() > end:
            return False
        await asyncio.sleep(LOOK_EVERY_S)
    return True
