"""The command."""

from __future__ import annotations

from pathlib import Path

import click

DEFAULT_PORT = 8321


@click.command("serve", short_help="Show run directories in a browser, live while one runs.")
@click.argument("runs", type=click.Path(path_type=Path), default=Path("runs"), required=False)
@click.option(
    "--port",
    type=click.IntRange(0, 65535),
    default=DEFAULT_PORT,
    show_default=True,
    help="Where it listens, on this machine's loopback alone; 0 takes a free one.",
)
def serve_command(runs: Path, port: int) -> int:
    """Show the run directories in RUNS in a browser: an index, each run's report, and what goes on in one that runs.

    Reads and never writes, answers only this machine, and ends with Ctrl-C. /metrics is for Prometheus.
    """
    from capsize.cli.serving.server import listening
    from capsize.core.errors import UsageError

    if not runs.is_dir():
        raise UsageError(f"{runs} is no folder; name the one in which run directories are")
    try:
        server = listening(runs, port)
    except OSError as error:
        raise UsageError(
            f"port {port} can't be listened on: {error.strerror}. Give another one with --port"
        ) from error
    with server:
        click.echo(f"{runs} at http://127.0.0.1:{server.server_port}/ (Ctrl-C ends it)")
        try:
            server.serve_forever(poll_interval=0.2)
        except KeyboardInterrupt:
            click.echo("Ended.")
    return 0
