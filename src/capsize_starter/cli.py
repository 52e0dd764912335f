"""`capsize-starter server|worker|migrate`: settings from the environment, logs as JSON lines on stdout.

Each command imports only what it needs: a worker must be ready a moment after it was started.
"""

import argparse
import asyncio
import signal
import sys
from collections.abc import Coroutine
from typing import Any

from capsize_starter import log
from capsize_starter.settings import (
    DatabaseSettings,
    QueueSettings,
    SettingsError,
    WorkerSettings,
    load,
)

USAGE_ERROR = 64


def main(argv: list[str] | None = None) -> int:
    """Run one command and return its exit code: 0, 1 when it failed, 64 when it was called wrongly."""
    commands = {"server": server, "worker": worker, "migrate": migrate}
    parser = argparse.ArgumentParser(
        prog="capsize-starter", description=__doc__.splitlines()[0] if __doc__ else None
    )
    subparsers = parser.add_subparsers(dest="command", required=True)
    subparsers.add_parser("server", help="serve the API until SIGTERM")
    subparsers.add_parser("worker", help="run tasks until SIGTERM")
    subparsers.add_parser("migrate", help="bring the database up to date and end")
    try:
        arguments = parser.parse_args(argv)
    except SystemExit as leaving:
        return USAGE_ERROR if leaving.code else 0
    try:
        return commands[arguments.command]()
    except SettingsError as error:
        print(f"capsize-starter: {error}", file=sys.stderr)
        return USAGE_ERROR


def server() -> int:
    """Serve the API."""
    from capsize_starter.api.server import serve

    return serve()


def worker() -> int:
    """Run tasks."""
    settings = load(WorkerSettings)
    log.configure(settings.log_level)
    # Until the event loop takes the signals over there is nothing to finish.
    for number in (signal.SIGTERM, signal.SIGINT):
        signal.signal(number, lambda _number, _frame: sys.exit(0))
    from capsize_starter.worker import Worker, serve

    async def work() -> None:
        await serve(Worker(settings, load(QueueSettings), load(DatabaseSettings)))

    _run(work())
    return 0


def migrate() -> int:
    """Apply the migrations."""
    log.configure("info")
    from capsize_starter import db

    async def apply() -> None:
        database = db.Database(load(DatabaseSettings), name="capsize-starter-migrate")
        try:
            await db.migrate(database)
        finally:
            await database.close()

    try:
        asyncio.run(apply())
    except Exception as error:
        print(f"capsize-starter: the migration failed: {error}", file=sys.stderr)
        return 1
    return 0


def _run(work: Coroutine[Any, Any, None]) -> None:
    """Run to the end, on uvloop where there is one."""
    try:
        from uvloop import new_event_loop
    except ImportError:
        asyncio.run(work)
        return
    with asyncio.Runner(loop_factory=new_event_loop) as runner:
        runner.run(work)


if __name__ == "__main__":
    sys.exit(main())
