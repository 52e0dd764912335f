"""PgQueuer: ``@pgq.entrypoint("name", executor_factory=witnessed)``, and ``install(pgq)`` for what is written down."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

from pgqueuer.executors import EntrypointExecutor, EntrypointExecutorParameters

from capsize_witness.announcing import announce_soon
from capsize_witness.running import running_async


class WitnessedExecutor(EntrypointExecutor):
    """The usual executor, announcing each run of a job."""

    async def execute(self, job: Any, context: Any) -> None:
        """Run the entrypoint between two announcements."""
        async with running_async(str(job.id), kind=job.entrypoint):
            await super().execute(job, context)


def witnessed(parameters: EntrypointExecutorParameters) -> WitnessedExecutor:
    """Return the executor, as ``executor_factory`` wants it."""
    return WitnessedExecutor(parameters)


def install(pgq: Any) -> None:
    """Announce when PgQueuer has written a job's end down, which it does for several jobs at once."""
    queries = pgq.qm.queries
    write = queries.log_jobs

    async def log_jobs(rows: Iterable[Any]) -> None:
        done = list(rows)
        await write(done)
        for job, status, *_ in done:
            if status == "successful":
                await announce_soon("recorded", str(job.id), kind=job.entrypoint)

    queries.log_jobs = log_jobs
