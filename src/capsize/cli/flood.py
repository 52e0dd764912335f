"""``capsize flood``: many tasks at once, and how many were accepted how fast."""

from __future__ import annotations

import re
import time
from collections import Counter
from typing import TYPE_CHECKING, Any

import click

from capsize.cli.exits import FAILED
from capsize.cli.far import allow_remote_option, see_that_load_is_allowed
from capsize.cli.options import Finite, url_option
from capsize.core.errors import UsageError

if TYPE_CHECKING:
    from capsize.cli.caller import Caller

AT_ONCE = 8
COUNT_MAX = 100_000
DELAY_MAX_S = 3600.0
TYPE = re.compile(r"[A-Za-z0-9_.:-]{1,100}")
TOKEN = re.compile(r"[A-Za-z0-9._~+/=-]+")


@click.command("flood", short_help="Submit many tasks and say how fast they were accepted.")
@click.option("--auth", "token", metavar="TOKEN", help="A user's bearer token, as `capsize auth` prints it.")
@click.option(
    "--count", type=click.IntRange(1, COUNT_MAX), default=100, show_default=True, help="How many tasks."
)
@click.option(
    "--delay", type=Finite(), default=0.1, show_default=True, help="Seconds that each takes its worker."
)
@click.option(
    "--type",
    "kind",
    default="delay",
    show_default=True,
    metavar="TYPE",
    help='The task type. Known ones get a payload that fits them, others {"seconds": DELAY}.',
)
@url_option
@allow_remote_option
def flood_command(
    token: str | None,
    count: int,
    delay: float,
    kind: str,
    url: str | None,
    default_port: int | None,
    allow_remote_load: bool,
) -> int:
    """Submit many tasks, eight at a time, and print how many were accepted and how fast.

    webhook tasks call the server's own /health/live. Exits 1 when a task was refused or no server answers.
    """
    import asyncio

    from capsize.cli.caller import base_url

    base = base_url(url, default_port)
    if not 0 <= delay <= DELAY_MAX_S:
        raise UsageError(f"--delay is {delay:g}; it must be 0 to {DELAY_MAX_S:g} seconds")
    if not TYPE.fullmatch(kind):
        raise UsageError(f"--type is {kind!r}; it must be letters, digits, '_', '.', ':', '-'")
    if not token:
        raise UsageError("--auth is missing. Get a token with ./scripts/helpers/auth-helper.sh")
    if not TOKEN.fullmatch(token):
        raise UsageError("--auth is not a token")
    see_that_load_is_allowed(base, allow_remote_load)
    order = {"type": kind, "payload": payload(kind, delay, base)}
    began = time.monotonic()
    answers = asyncio.run(_submit(base, token, order, count))
    return _told(answers, time.monotonic() - began)


def payload(kind: str, delay_s: float, base: str) -> dict[str, Any]:
    """Return a small payload that a task type accepts."""
    known: dict[str, dict[str, Any]] = {
        "webhook": {"url": f"{base}/health/live", "method": "GET"},
        "email": {"to": "flood@test.example", "subject": "Flood", "body": "One of many."},
        "data_processing": {"data": [1, 2, 3, 4]},
        "report_generation": {"title": "Flood", "columns": ["n"], "rows": [[1]]},
        "file_cleanup": {"directory": "flood", "dry_run": True},
    }
    return known.get(kind, {"seconds": delay_s})


async def _submit(base: str, token: str, order: dict[str, Any], count: int) -> Counter[str]:
    """Submit the tasks and return how often each answer came."""
    import asyncio

    from capsize.cli.caller import calling

    answers: Counter[str] = Counter()
    left = iter(range(count))

    async def one_by_one(call: Caller) -> None:
        for _ in left:
            answer = await call("POST", "/tasks", order)
            answers[str(answer.status or "no answer")] += 1

    async with calling(base, "with --url", connections_max=AT_ONCE) as call, asyncio.TaskGroup() as group:
        call.token = token
        for _ in range(min(AT_ONCE, count)):
            group.create_task(one_by_one(call))
    return answers


def _told(answers: Counter[str], seconds: float) -> int:
    accepted = answers["200"] + answers["201"]
    refused = answers.total() - accepted
    click.echo(f"Accepted: {accepted} of {answers.total()}\nRefused: {refused}")
    for status, number in sorted(answers.items()):
        if status not in ("200", "201") and number:
            click.echo(f"  {number} with {status}")
    click.echo(f"Duration: {seconds:.3f} s\nRate: {accepted / max(seconds, 1e-3):.0f} tasks/s")
    return FAILED if refused else 0
