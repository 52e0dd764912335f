"""The commands, and the one place where errors become exit codes."""

from __future__ import annotations

import os
from collections.abc import Sequence

import click

from capsize.cli.apicheck import api_check_command
from capsize.cli.auth import auth_command
from capsize.cli.comparing import compare_command
from capsize.cli.doctor.command import doctor_command
from capsize.cli.exits import BROKE, FAILED, SIGNALLED, USAGE, broke, complain
from capsize.cli.fault import fault_group
from capsize.cli.flood import flood_command
from capsize.cli.heal import heal_command
from capsize.cli.judging import judge_command
from capsize.cli.listing import list_command
from capsize.cli.queue import queue_command
from capsize.cli.replay import replay_command
from capsize.cli.reporting import report_command
from capsize.cli.run import run_command
from capsize.cli.schema import schema_command
from capsize.cli.serving.command import serve_command
from capsize.cli.stack import down_command, status_command, strike_command, up_command
from capsize.core.errors import CapsizeError, HistoryError, UsageError


def _version(context: click.Context, _: click.Parameter, wanted: bool) -> None:
    if wanted and not context.resilient_parsing:
        from importlib.metadata import version

        click.echo(f"capsize {version('capsize')}")
        context.exit()


@click.group(context_settings={"help_option_names": ["-h", "--help"], "max_content_width": 100})
@click.option(
    "--version",
    is_flag=True,
    is_eager=True,
    expose_value=False,
    callback=_version,
    help="Show the version and exit.",
)
def cli() -> None:
    """Break a running service on purpose, and prove from an independent record what survived.

    Exit codes: 0 pass or partial, 1 fail, 2 nothing proved, 64 usage, 70 capsize broke, 130 interrupted.
    """


for command in (
    run_command,
    list_command,
    judge_command,
    report_command,
    compare_command,
    schema_command,
    serve_command,
    replay_command,
    up_command,
    down_command,
    status_command,
    strike_command,
    fault_group,
    auth_command,
    flood_command,
    api_check_command,
    queue_command,
    heal_command,
    doctor_command,
):
    cli.add_command(command)


def entry(argv: Sequence[str]) -> int:
    """Run the command line and return its exit code; what goes wrong is said on stderr."""
    try:
        code = cli.main(list(argv), prog_name="capsize", standalone_mode=False)
    except click.UsageError as error:
        return _usage(error)
    except (UsageError, HistoryError) as error:
        where = " ".join(["capsize", *(word for word in argv[:1] if word in cli.commands)])
        complain(str(error), where=where, hint=f"Try: {where} --help")
        return USAGE
    except click.ClickException as error:
        complain(error.format_message())
        return USAGE
    except CapsizeError as error:
        complain(str(error))
        return FAILED
    except (KeyboardInterrupt, click.Abort):
        complain("interrupted")
        return SIGNALLED + 2
    except BrokenPipeError:
        return _reader_gone()
    except Exception as error:
        complain(broke(error, None))
        return BROKE
    return code if isinstance(code, int) else 0


def _usage(error: click.UsageError) -> int:
    where = error.ctx.command_path if error.ctx else "capsize"
    if isinstance(error, click.exceptions.NoArgsIsHelpError):
        click.echo(error.format_message(), err=True)
        return USAGE
    complain(" ".join(error.format_message().split()), where=where, hint=f"Try: {where} --help")
    return USAGE


def _reader_gone() -> int:
    """Leave quietly when the reader of our output went away, as ``| head`` does."""
    os.dup2(os.open(os.devnull, os.O_WRONLY), 1)
    return SIGNALLED + 13
