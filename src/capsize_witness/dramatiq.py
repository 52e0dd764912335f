"""Dramatiq: a middleware that tells the witness. ``broker.add_middleware(WitnessMiddleware())`` is all."""

from __future__ import annotations

from typing import Any

from dramatiq.middleware import Middleware

from capsize_witness.announcing import announce

_FINISHED = "capsize_finished"


class WitnessMiddleware(Middleware):
    """Announces each run of a message, and when its acknowledgement has reached the broker."""

    def before_process_message(self, broker: Any, message: Any) -> None:
        """Tell that a run begins."""
        announce("started", message.message_id, kind=message.actor_name)

    def after_process_message(
        self, broker: Any, message: Any, *, result: Any = None, exception: BaseException | None = None
    ) -> None:
        """Tell how a run ended."""
        announce("finished" if exception is None else "failed", message.message_id, kind=message.actor_name)
        # Not in the options, which are sent on with a retry: on this one delivery of the message.
        setattr(message, _FINISHED, exception is None)

    def after_ack(self, broker: Any, message: Any) -> None:
        """Tell that the broker knows; a message that failed is acknowledged too, when its retry is queued."""
        if getattr(message, _FINISHED, False):
            announce("recorded", message.message_id, kind=message.actor_name)
