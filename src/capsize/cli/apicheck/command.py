"""The command: its arguments, the order of the checks, and what is printed at the end."""

from __future__ import annotations

from typing import TYPE_CHECKING

import click

from capsize.cli.exits import FAILED
from capsize.core.errors import UsageError

if TYPE_CHECKING:
    from capsize.cli.apicheck.judging import Checks


@click.command("api-check", short_help="Check every endpoint of a starter that runs.")
@click.argument("where", nargs=-1, metavar="[PORT | URL | HOST PORT]")
@click.option("--verbose", "-v", is_flag=True, envvar="VERBOSE", show_envvar=True, help="Show each answer.")
@click.option("--url", envvar="BASE_URL", hidden=True)
@click.option("--port", envvar="PORT", type=click.IntRange(1, 65535), hidden=True)
def api_check_command(where: tuple[str, ...], verbose: bool, url: str | None, port: int | None) -> int:
    """Call every endpoint: as it is meant, without a token, and with bad input; print what share passed.

    Without an argument: $BASE_URL, or $PORT of this machine, or port 3000. What needs a worker is skipped, and
    said so, when none is connected. Leaves two users and no unfinished task behind. Exits 1 when a check failed.
    """
    import asyncio

    base = _base(where, url, port)
    checks = asyncio.run(_checked(base, verbose))
    return _told(checks)


def _base(where: tuple[str, ...], url: str | None, port: int | None) -> str:
    """Return the address that the arguments, or else the environment, name. Raises UsageError."""
    from capsize.cli.caller import base_url

    match where:
        case ():
            return base_url(url.rstrip("/") if url else None, port)
        case (text,) if text.startswith(("http://", "https://")):
            return base_url(text.rstrip("/"), None)
        case (text,) if _is_port(text):
            return f"http://127.0.0.1:{text}"
        case (host, text) if _is_port(text) and host and not host.isdigit() and "/" not in host:
            return base_url(f"http://{f'[{host}]' if ':' in host else host}:{text}", None)
    raise UsageError(f"{' '.join(where)!r} is neither a port, nor a URL, nor a host and a port")


def _is_port(text: str) -> bool:
    return text.isascii() and text.isdigit() and 1 <= int(text) <= 65535


async def _checked(base: str, verbose: bool) -> Checks:
    from capsize.cli.apicheck import basics, documented, tasks, work
    from capsize.cli.apicheck.judging import Checks
    from capsize.cli.caller import calling

    async with calling(base, "port or URL") as call:
        click.echo(f"Testing {base}")
        checks = Checks(call, click.echo, verbose=verbose)
        await basics.health(checks)
        await basics.errors(checks)
        await basics.users(checks)
        await tasks.tasks(checks)
        await work.work(checks)
        await documented.each_endpoint(checks)
        await basics.logout(checks)
        documented.nothing_left_out(checks)
        checks.judge("every JSON answer is well formed", not checks.malformed, checks.malformed)
    return checks


def _told(checks: Checks) -> int:
    total = checks.passed + checks.failed
    lines = ["", "API Test Results", "================", f"Total tests: {total}", f"Passed: {checks.passed}"]
    lines.append(f"Failed: {checks.failed}")
    if checks.skipped:
        lines.append(f"Skipped: {checks.skipped}")
    # Rounded down: 100% means all of them.
    lines.append(f"Success rate: {checks.passed * 100 // max(total, 1)}%")
    click.echo("\n".join(lines))
    return FAILED if checks.failed else 0
