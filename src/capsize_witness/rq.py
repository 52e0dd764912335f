"""RQ: workers that tell the witness. ``rq worker --worker-class capsize_witness.rq.WitnessedWorker`` is all."""

from __future__ import annotations

from typing import Any

from rq import SimpleWorker, Worker

from capsize_witness.announcing import announce


class _Telling:
    """What both kinds of worker do beside RQ's own."""

    def prepare_job_execution(self, job: Any, *rest: Any, **named: Any) -> Any:
        """Tell that a run begins, once RQ has written down that it does."""
        answer = super().prepare_job_execution(job, *rest, **named)  # type: ignore[misc]
        announce("started", job.id, kind=job.func_name)
        return answer

    def handle_job_success(self, job: Any, *rest: Any, **named: Any) -> Any:
        """Tell that the work is done, and then that RQ has written it down."""
        announce("finished", job.id, kind=job.func_name)
        answer = super().handle_job_success(job, *rest, **named)  # type: ignore[misc]
        announce("recorded", job.id, kind=job.func_name)
        return answer

    def handle_job_failure(self, job: Any, *rest: Any, **named: Any) -> Any:
        """Tell that a run failed; also called by the parent of a work horse that died, which is right then too."""
        announce("failed", job.id, kind=job.func_name)
        return super().handle_job_failure(job, *rest, **named)  # type: ignore[misc]


class WitnessedWorker(_Telling, Worker):
    """RQ's worker with a process for each job."""


class WitnessedSimpleWorker(_Telling, SimpleWorker):
    """RQ's worker that runs jobs in its own process."""
