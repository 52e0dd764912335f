"""taskiq: a middleware that tells the witness. ``broker.with_middlewares(WitnessMiddleware())`` is all."""

from __future__ import annotations

from typing import Any

from taskiq import TaskiqMiddleware

from capsize_witness.announcing import announce_soon


class WitnessMiddleware(TaskiqMiddleware):
    """Announces each run of a task, and when its result is saved."""

    async def pre_execute(self, message: Any) -> Any:
        """Tell that a run begins."""
        await announce_soon("started", message.task_id, kind=message.task_name)
        return message

    async def post_execute(self, message: Any, result: Any) -> None:
        """Tell how a run ended."""
        await announce_soon(
            "failed" if result.is_err else "finished", message.task_id, kind=message.task_name
        )

    async def post_save(self, message: Any, result: Any) -> None:
        """Tell that the result is saved. A broker with acknowledgements is told a moment later."""
        if not result.is_err:
            await announce_soon("recorded", message.task_id, kind=message.task_name)
