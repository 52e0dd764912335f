"""Aggregates numbers."""

import asyncio
import math
import statistics
from typing import Annotated, Any, Literal

import msgspec

from capsize_starter.handlers.base import Context, Handler

Operation = Literal["sum", "mean", "min", "max", "median", "stdev", "count"]
THREAD_FROM = 1_000


class DataProcessing(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    data: Annotated[list[float], msgspec.Meta(min_length=1, max_length=1_000_000)]
    operations: Annotated[list[Operation], msgspec.Meta(min_length=1)] = msgspec.field(
        default_factory=lambda: ["count", "sum", "mean", "min", "max"]
    )


def aggregate(data: list[float], operations: list[Operation]) -> dict[str, float]:
    """Each operation's value over the data; the deviation of a single number is 0."""
    functions: dict[str, Any] = {
        "sum": math.fsum,
        "mean": statistics.fmean,
        "min": min,
        "max": max,
        "median": statistics.median,
        "stdev": lambda values: statistics.stdev(values) if len(values) > 1 else 0.0,
        "count": len,
    }
    return {name: functions[name](data) for name in operations}


async def run(payload: DataProcessing, context: Context) -> dict[str, float]:
    if len(payload.data) < THREAD_FROM:
        result = aggregate(payload.data, payload.operations)
    else:  # or the heartbeat would wait for it
        result = await asyncio.to_thread(aggregate, payload.data, payload.operations)
    context.check()
    return result


HANDLER = Handler("data_processing", "Aggregates a list of numbers.", DataProcessing, run)
