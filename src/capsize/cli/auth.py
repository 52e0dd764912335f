"""``capsize auth``: a fresh user with a token, as one line of JSON."""

from __future__ import annotations

import json
import re
import secrets

import click

from capsize.cli.options import url_option
from capsize.core.errors import CapsizeError, UsageError

PREFIX = re.compile(r"[A-Za-z0-9._-]{1,30}")


@click.command("auth", short_help="Make a user and print its token as JSON.")
@click.option(
    "--prefix",
    default="chaos_test",
    show_default=True,
    help="What the address begins with: 1 to 30 letters, digits, '.', '_', '-'.",
)
@url_option
def auth_command(prefix: str, url: str | None, default_port: int | None) -> int:
    """Register a fresh user, log in, and print {"token": "...", "user_id": "..."}.

    Exits 1 when the server refuses or does not answer.
    """
    import asyncio

    from capsize.cli.caller import base_url

    if not PREFIX.fullmatch(prefix):
        raise UsageError(f"--prefix is {prefix!r}; it must be 1 to 30 of letters, digits, '.', '_', '-'")
    click.echo(json.dumps(asyncio.run(_made(base_url(url, default_port), prefix))))
    return 0


async def _made(base: str, prefix: str) -> dict[str, str]:
    user = {
        "email": f"{prefix}-{secrets.token_hex(8)}@test.example",
        "password": secrets.token_hex(16),
        "name": prefix,
    }
    from capsize.cli.caller import calling

    async with calling(base, "with --url") as call:
        registered = await call("POST", "/auth/register", user)
        if registered.status != 201:
            raise CapsizeError(f"the registration was refused with {registered}")
        login = await call("POST", "/auth/login", user)
        if login.status != 200:
            raise CapsizeError(f"the login was refused with {login}")
    return {"token": login.member("token"), "user_id": registered.member("id")}
