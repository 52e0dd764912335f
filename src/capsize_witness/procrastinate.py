"""Procrastinate: ``capsize_witness.procrastinate.install(app)`` beside the app is all."""

from __future__ import annotations

from typing import Any

from procrastinate import jobs

from capsize_witness.announcing import announce_soon
from capsize_witness.running import running_async


def install(app: Any) -> None:
    """Announce each run of each job of an app's workers, and when its state is written down."""
    manager, options = app.job_manager, app.worker_defaults
    options["worker_middleware"] = [*(options.get("worker_middleware") or ()), _told]
    finish = manager.finish_job

    async def finish_job(job: Any, status: Any, delete_job: bool) -> None:
        await finish(job=job, status=status, delete_job=delete_job)
        if status == jobs.Status.SUCCEEDED:
            await announce_soon("recorded", str(job.id), kind=job.task_name)

    manager.finish_job = finish_job


async def _told(call_next: Any, context: Any, worker: Any) -> Any:
    async with running_async(str(context.job.id), kind=context.job.task_name):
        return await call_next()
