"""Makes a CSV report with a line of totals."""

import asyncio
import csv
import io
from typing import Annotated, Any

import msgspec

from capsize_starter.handlers.base import Context, FieldError, Handler
from capsize_starter.handlers.files import replace_file

Cell = str | int | float | bool | None


class ReportGeneration(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    title: Annotated[str, msgspec.Meta(min_length=1, max_length=200)]
    columns: Annotated[list[str], msgspec.Meta(min_length=1, max_length=200)]
    rows: Annotated[list[list[Cell]], msgspec.Meta(max_length=100_000)] = []


def check(payload: ReportGeneration) -> list[FieldError]:
    width = len(payload.columns)
    for index, row in enumerate(payload.rows):
        if len(row) != width:
            return [FieldError(f"rows[{index}]", f"has {len(row)} cells for {width} columns")]
    return []


def render(payload: ReportGeneration) -> bytes:
    """The report as CSV: title, columns, rows, and the sum of each column that holds numbers only."""
    out = io.StringIO()
    writer = csv.writer(out)
    writer.writerow([payload.title])
    writer.writerow(payload.columns)
    writer.writerows(payload.rows)
    if payload.rows:
        writer.writerow([_total(column) for column in zip(*payload.rows, strict=True)])
    return out.getvalue().encode()


def _total(column: tuple[Cell, ...]) -> Cell:
    if all(isinstance(cell, int | float) and not isinstance(cell, bool) for cell in column):
        return sum(column)  # type: ignore[arg-type]
    return None


async def run(payload: ReportGeneration, context: Context) -> dict[str, Any]:
    data = await asyncio.to_thread(render, payload)
    path = context.files_root / "reports" / f"{context.task_id}.csv"
    context.check()
    await asyncio.to_thread(replace_file, path, data)
    return {"file": f"reports/{path.name}", "rows": len(payload.rows), "bytes": len(data)}


HANDLER = Handler("report_generation", "Makes a CSV report with totals.", ReportGeneration, run, check)
