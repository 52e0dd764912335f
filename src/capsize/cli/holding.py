"""Holding an injected fault: in the foreground until a signal comes, or in a process of its own."""

from __future__ import annotations

import asyncio
import os
import signal
import subprocess
import sys

import click

from capsize.cli.exits import BROKE, SIGNALLED
from capsize.cli.fault import say
from capsize.cli.injections import Plan, StackGone, carry_out
from capsize.core.errors import Missed
from capsize.platforms.local.attached import AttachedPlatform

SIGNALS = (signal.SIGINT, signal.SIGTERM, signal.SIGHUP)
HELD = "Heal it with: capsize fault heal "
MISSED = 1


def held(platform: AttachedPlatform, plan: Plan, *, holder: bool = False) -> int:
    """Strike, hold, heal, and return the exit code. Ctrl-C and the like heal at once."""
    return asyncio.run(_Holding(platform, plan, holder).run())


def detached(plan: Plan) -> int:
    """Have another process hold it, and return when it has struck."""
    with subprocess.Popen(
        _command(plan), stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, start_new_session=True, text=True
    ) as process:
        if process.stdout is None:
            return BROKE
        for line in process.stdout:
            click.echo(line, nl=False)
            if line.startswith(HELD):
                # It goes on alone; without this, leaving the block would wait for it.
                process.returncode = 0
                return 0
        return process.wait()


class _Holding:
    """One injection and the signals that end it."""

    def __init__(self, platform: AttachedPlatform, plan: Plan, alone: bool) -> None:
        self._platform, self._plan, self._alone = platform, plan, alone
        self._caught: signal.Signals | None = None

    async def run(self) -> int:
        """Carry it out; the exit code is that of the signal which cut it short, if one did."""
        work = asyncio.create_task(carry_out(self._platform, self._plan, self._landed))
        loop = asyncio.get_running_loop()
        for number in SIGNALS:
            loop.add_signal_handler(number, self._came, number, work)
        try:
            await asyncio.wait({work})
            if not work.cancelled():
                self._say("healed", work.result())
                return 0
            self._say("healed", "")
        except Missed as miss:
            self._say("missed", str(miss))
            return MISSED
        except StackGone as gone:
            click.echo(str(gone))
            return 0
        finally:
            await self._platform.down()
        return self._code()

    def _landed(self, name: str, told: str) -> None:
        self._say("struck", told)
        if self._alone:
            click.echo(HELD + name)
            _let_go()
        elif self._plan.for_s is None:
            click.echo("Ctrl-C heals it.")

    def _came(self, number: signal.Signals, work: asyncio.Task[str]) -> None:
        if self._caught is not None:
            click.echo(f"{number.name} again: still healing; this has to be finished.", err=True)
            return
        self._caught = number
        work.cancel()

    def _code(self) -> int:
        # Without a time to end it, Ctrl-C is how it ends; and a holder ends when it is told to.
        if self._caught is None or self._alone:
            return 0
        if self._caught is signal.SIGINT and self._plan.for_s is None:
            return 0
        return SIGNALLED + self._caught.value

    def _say(self, what: str, more: str) -> None:
        on = f"{self._plan.fault.name} on {', '.join(self._plan.victims)}"
        say(f"{on}: {what}" + (f" ({more})" if more else ""))


def _let_go() -> None:
    """Write nothing more to a terminal that has another use by now."""
    sys.stdout.flush()
    null = os.open(os.devnull, os.O_RDWR)
    for number in (1, 2):
        os.dup2(null, number)
    os.close(null)


def _command(plan: Plan) -> list[str]:
    command = [sys.executable, "-m", "capsize", "fault", "inject", plan.fault.name, "--holder"]
    for victim in plan.victims:
        command += ["--instance", victim]
    for name, value in plan.fault.args.items():
        command += ["--set", f"{name}={_text(value)}"]
    return command if plan.for_s is None else [*command, "--for", str(plan.for_s)]


def _text(value: object) -> str:
    if isinstance(value, list | tuple):
        return ",".join(map(str, value))
    return "null" if value is None else str(value)
