"""Hosts that are not this machine: nobody sends load there by mistake."""

from __future__ import annotations

import socket
from urllib.parse import urlsplit

import click

from capsize.core.errors import UsageError

allow_remote_option = click.option(
    "--allow-remote-load",
    is_flag=True,
    envvar="ALLOW_REMOTE_LOAD",
    show_envvar=True,
    help="Send load to a host that is not this machine.",
)


def see_that_load_is_allowed(url: str, allowed: bool) -> None:
    """Raise UsageError for an address of another machine, unless load was allowed there."""
    host = urlsplit(url).hostname or ""
    if allowed or is_this_machine(host):
        return
    raise UsageError(
        f"{url} is not on this machine, and a run sends it load: users, tasks and calls at a fixed rate. "
        "When that service is yours to load, say so with --allow-remote-load"
    )


def is_this_machine(host: str) -> bool:
    """Tell whether every address of a host is one of this machine's; a host without an address is not."""
    try:
        found = socket.getaddrinfo(host, None, type=socket.SOCK_STREAM)
    except (OSError, UnicodeError):
        return False
    return bool(found) and all(_is_own(family, str(address[0])) for family, _, _, _, address in found)


def _is_own(family: int, address: str) -> bool:
    """Only an address of one's own can be bound to."""
    with socket.socket(family, socket.SOCK_STREAM) as probe:
        try:
            probe.bind((address, 0))
        except OSError:
            return False
    return True
