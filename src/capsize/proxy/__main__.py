"""The proxy as a process: ``python -m capsize.proxy --listen 127.0.0.1:8474``."""

from __future__ import annotations

import asyncio
import json
import logging
import signal
import sys
from pathlib import Path

import click
import msgspec

from capsize.core.errors import CapsizeError, UsageError
from capsize.proxy.reading import PopulateInput
from capsize.proxy.server import ControlServer


@click.command()
@click.option(
    "--listen", default="127.0.0.1:8474", show_default=True, help="Address of the control API; port 0: any."
)
@click.option(
    "--seed", default=0, show_default=True, help="What all draws of toxics and rules are made from."
)
@click.option(
    "--token", envvar="CAPSIZE_PROXY_TOKEN", help="What requests must bring: Authorization: Bearer TOKEN."
)
@click.option("--expose", is_flag=True, help="Allow addresses that other machines can reach; needs a token.")
@click.option(
    "--config", type=click.Path(exists=True, dir_okay=False), help="Proxies to begin with, as for /populate."
)
@click.option(
    "--until-eof", is_flag=True, help="End when standard input ends, so that no owner leaves it behind."
)
@click.option("--log-level", default="warning", show_default=True)
def main(
    listen: str,
    seed: int,
    token: str | None,
    expose: bool,
    config: str | None,
    until_eof: bool,
    log_level: str,
) -> None:
    """Run a TCP proxy with toxics, PostgreSQL-aware rules and Toxiproxy's control API."""
    logging.basicConfig(
        level=log_level.upper(), stream=sys.stderr, format="%(levelname)s %(name)s %(message)s"
    )
    try:
        server = ControlServer(listen, seed=seed, token=token, expose=expose)
        _run(_serve(server, config, until_eof))
    except UsageError as error:
        click.echo(f"capsize.proxy: {error}", err=True)
        sys.exit(64)
    except CapsizeError as error:
        click.echo(f"capsize.proxy: {error}", err=True)
        sys.exit(70)


async def _serve(server: ControlServer, config: str | None, until_eof: bool) -> None:
    """Serve until a signal, or until standard input ends. Its first line of output tells the address."""
    over = asyncio.Event()
    loop = asyncio.get_running_loop()
    for name in (signal.SIGTERM, signal.SIGINT):
        loop.add_signal_handler(name, over.set)
    async with server:
        if config is not None:
            await server.proxies.populate(_read(config))
        if until_eof:
            await loop.connect_read_pipe(lambda: _UntilEof(over), sys.stdin)
        click.echo(json.dumps({"url": server.url}))
        await over.wait()


def _read(config: str) -> list[PopulateInput]:
    try:
        return msgspec.json.decode(Path(config).read_bytes(), type=list[PopulateInput])
    except msgspec.DecodeError as error:
        raise UsageError(f"{config}: {error}") from error


class _UntilEof(asyncio.Protocol):
    def __init__(self, over: asyncio.Event) -> None:
        self._over = over

    def eof_received(self) -> None:
        self._over.set()

    def connection_lost(self, error: Exception | None) -> None:
        self._over.set()


def _run(work: object) -> None:
    if sys.platform == "win32":
        asyncio.run(work)  # type: ignore[arg-type]
    else:
        import uvloop

        uvloop.run(work)  # type: ignore[arg-type]


if __name__ == "__main__":
    main()
