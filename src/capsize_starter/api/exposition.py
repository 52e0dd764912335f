"""What `/metrics` shows."""

import asyncpg

from capsize_starter.api import health
from capsize_starter.api.metrics import Labels, gauge
from capsize_starter.api.services import Services
from capsize_starter.db import Unavailable

BREAKER_STATES = ("closed", "half_open", "open")
STATUSES = ("pending", "running", "completed", "failed", "cancelled")


async def exposition(services: Services) -> str:
    """All metrics as Prometheus text; without the queue's while the database can't be asked."""
    lines = list(services.metrics.lines())
    pool = services.database.usage()
    lines += gauge(
        "starter_db_pool_connections",
        "Connections of the pool by state.",
        {(("state", "used"),): pool.used, (("state", "idle"),): pool.idle},
    )
    try:
        queue = await _queue_lines(services)
    except (Unavailable, asyncpg.UndefinedTableError):
        queue = []
    lines += gauge("starter_database_up", "Whether the queue could be asked.", {(): 1 if queue else 0})
    return "\n".join([*lines, *queue, ""])


async def _queue_lines(services: Services) -> list[str]:
    limit_s = services.settings.health_timeout_s
    stats = await services.queue.stats(timeout_s=limit_s)
    oldest_s = await services.database.fetchval(health.SQL.oldest_due_s, timeout_s=limit_s)
    breakers = await services.queue.breakers()
    by_status: dict[Labels, float] = {(("status", status),): getattr(stats, status) for status in STATUSES}
    lines = list(gauge("starter_tasks", "Tasks by status; failed is the dead-letter queue.", by_status))
    lines += gauge("starter_tasks_created", "Tasks inserted, less those deleted.", {(): stats.created})
    lines += gauge(
        "starter_oldest_due_seconds",
        "For how long the longest-waiting due task has been due.",
        {(): oldest_s or 0},
    )
    states: dict[Labels, float] = {
        (("type", breaker.type), ("state", state)): int(breaker.state == state)
        for breaker in breakers
        for state in BREAKER_STATES
    }
    lines += gauge("starter_circuit_breaker", "1 for the state each circuit is in.", states)
    return lines
