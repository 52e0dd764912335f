"""Tells capsize's witness what a worker does, from inside any Python worker. Needs nothing but Python itself.

One line around the work is enough:

    with capsize_witness.running(task_id):
        do_the_work()

For eight task queues there are hooks that need no change in the tasks: ``capsize_witness.celery``, ``dramatiq``,
``rq``, ``arq``, ``taskiq``, ``procrastinate``, ``huey`` and ``pgqueuer``. Without ``WITNESS_URL`` in the
environment nothing is sent, so all of it may stay in the code. ``WITNESS_TASKS`` names the tasks that the hooks
announce, separated by commas; unset: all.
"""

from __future__ import annotations

from capsize_witness.announcing import Event, announce, announce_soon, wanted, watched, worker_name
from capsize_witness.running import running, running_async

__all__ = [
    "Event",
    "announce",
    "announce_soon",
    "running",
    "running_async",
    "wanted",
    "watched",
    "worker_name",
]
