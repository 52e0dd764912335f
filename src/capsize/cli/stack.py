"""``capsize up``, ``down``, ``status`` and ``strike``: the starter alone, to be looked at and pushed by hand."""

from __future__ import annotations

import json
import signal
import time
import urllib.error
import urllib.request
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from types import FrameType
from typing import TYPE_CHECKING, Any, NoReturn

import click

from capsize.cli import fault, loglinks
from capsize.cli.exits import FAILED, SIGNALLED
from capsize.cli.options import Finite

if TYPE_CHECKING:
    from capsize.core.experiment import Link
    from capsize.core.platform import Preparation, Service
    from capsize.platforms.local.stack import StackState

DEFAULT_PORT = 3000
PREPARATIONS = ("clock", "disk", "names")
LOOK_LIMIT_S = 3.0
WATCH_EVERY_S = 0.5


@click.command("up", short_help="Start the starter alone, and leave it up.")
@click.option(
    "--port",
    envvar="PORT",
    show_envvar=True,
    type=click.IntRange(1, 65535),
    default=DEFAULT_PORT,
    show_default=True,
    help="The API's port.",
)
@click.option(
    "--platform",
    envvar="CAPSIZE_PLATFORM",
    show_envvar=True,
    default="local",
    show_default=True,
    metavar="local|docker|auto",
    help="Processes of this machine, or containers; auto: as for `capsize run`.",
)
@click.option("--workers", type=click.IntRange(1, 64), default=2, show_default=True, help="Workers.")
@click.option("--foreground", is_flag=True, help="Stay, and take everything down on Ctrl-C.")
@click.option(
    "--proxied", is_flag=True, help="Connections to the database go through a proxy, for faults on them."
)
@click.option(
    "--prepare",
    "prepared",
    multiple=True,
    type=click.Choice(PREPARATIONS),
    help="Start the services ready for faults of this kind; may be repeated.",
)
def up_command(
    port: int, platform: str, workers: int, foreground: bool, proxied: bool, prepared: tuple[Preparation, ...]
) -> int:
    """Start PostgreSQL, the API and the workers, and leave them running.

    Returns when all are ready. When they run already on that port, it says where and changes nothing.
    """
    from capsize.core.errors import UsageError
    from capsize.guardian.registry import state_folder
    from capsize.platforms.local import stack

    with _ending_on_signals():
        state = stack.read_state(state_folder())
        if state is not None and (foreground or not _listens_on(state, port)):
            raise UsageError(
                f"a stack is up already, its API at {state.api_url}. End it first with: capsize down"
            )
        if state is None:
            services = _services(port, workers, prepared)
            links = _links(services) if proxied else ()
            name = _platform(platform, prepared)
            # No witness: outside a run nobody listens to the workers' announcements.
            state = stack.up(services, fields={"witness_url": ""}, links=links, platform=name, tell=_tell)
            loglinks.lay(Path(state.logs))
        _addresses(state)
        if foreground:
            _stay(state)
    return 0


def _platform(name: str, prepared: tuple[Preparation, ...]) -> str:
    """Return the platform of that name. Raises UsageError for one that can't be had, or lay what was asked for."""
    from capsize.cli.auto import platform_named
    from capsize.core.errors import UsageError

    chosen = platform_named(name, "starter", click.echo)
    if chosen == "docker" and prepared:
        raise UsageError(
            f"--prepare {prepared[0]} is laid for processes of this machine: use --platform local"
        )
    return chosen


def _services(port: int, workers: int, prepared: tuple[Preparation, ...]) -> tuple[Service, ...]:
    import msgspec

    from capsize.systems import Starter

    # A database looks nobody up, and a migration is over before anything can break it.
    ready = dict.fromkeys(("api", "worker"), prepared) | {
        "database": tuple(name for name in prepared if name != "names")
    }
    return tuple(
        msgspec.structs.replace(one, prepared=ready.get(one.role, ()))
        for one in Starter(port=port).services({"api": 1, "worker": workers}, {})
    )


def _links(services: Sequence[Service]) -> tuple[Link, ...]:
    """Return the connections that can be disturbed: all of those to the database."""
    from capsize.core.experiment import Link

    (database,) = (one.name for one in services if one.role == "database")
    return tuple(Link(source=one.name, target=database) for one in services if one.role in ("api", "worker"))


@click.command("down", short_help="Stop what up started.")
@click.option(
    "--run",
    "run_directory",
    type=click.Path(path_type=Path),
    metavar="RUN",
    help="Stop what this run left up with --no-cleanup, instead.",
)
def down_command(run_directory: Path | None) -> int:
    """Stop what ``capsize up`` started. Nothing else is touched; no stack up is fine too."""
    from capsize.guardian.registry import state_folder
    from capsize.platforms.local import stack

    if run_directory is not None:
        return _end_left_up(run_directory)
    state = stack.read_state(state_folder())
    click.echo("The stack is down." if stack.down() else "No stack was up.")
    if state is not None:
        loglinks.clear(Path(state.logs))
    return 0


def _end_left_up(path: Path) -> int:
    from capsize.core.errors import UsageError
    from capsize.guardian.place import is_place, remove_place
    from capsize.platforms.docker.left import end as end_left
    from capsize.platforms.docker.left import is_left
    from capsize.rundir import RunDirectory

    run = RunDirectory.open(path)
    left = run.left_up()
    if left is None:
        raise UsageError(f"{path} left nothing up, or it was ended already")
    place = Path(left.place)
    if is_place(place):
        remove_place(place)
    elif is_left(place):
        end_left(place)
    run.left_up_path.unlink()
    click.echo("What the run left up is down.")
    return 0


@click.command("status", short_help="Show the starter that is up.")
@click.option("--json", "as_json", is_flag=True, help="JSON on stdout.")
def status_command(as_json: bool) -> int:
    """Show the stack that is up, its instances, and what the API says. Exits 1 when none is up."""
    import msgspec

    from capsize.platforms.local import stack

    found = stack.status()
    if found is None:
        click.echo("null" if as_json else "No stack is up. Start one with: capsize up")
        return FAILED
    health, tasks = _look(found.state, "/health"), _look(found.state, "/tasks/stats")
    if as_json:
        document = msgspec.to_builtins(found) | {"health": health, "tasks": tasks}
        click.echo(json.dumps(document, indent=2))
        return 0
    _addresses(found.state)
    for instance in found.instances:
        where = f"port {instance.port}" if instance.port else ""
        state = "ready" if instance.ready else "not ready"
        click.echo(f"  {instance.name:<12}{state:<11}pid {instance.pid or '-':<9}{where}".rstrip())
    click.echo(f"Health: {_short(health)}")
    click.echo(f"Tasks:  {_short(tasks)}")
    return 0


@click.command("strike", short_help="Break a part of the starter that is up.")
@click.argument("action", type=click.Choice(("restart", "kill", "stop", "start", "pause")))
@click.option(
    "--service",
    required=True,
    help="api (or server), worker, postgres: all its instances; or one instance, as in worker-1.",
)
@click.option("--delay", type=Finite(), help="Seconds to keep it down or frozen; then it is brought back.")
def strike_command(action: str, service: str, delay: float | None) -> int:
    """Break or mend a part of the stack that is up: the guide's words for what `capsize fault` does.

    restart kills it and starts it after --delay (0 by default). kill ends its process; it is restarted
    at once by its supervisor. stop and pause last until start, or for --delay seconds. Ctrl-C mends at once.
    """
    from capsize.core.errors import UsageError
    from capsize.core.experiment import Spec

    if delay is not None and delay < 0:
        raise UsageError(f"--delay is {delay:g}; it can't be negative")
    if delay is not None and action in ("kill", "start"):
        raise UsageError(f"--delay has no meaning for {action}; use it with restart, stop or pause")
    if action == "start":
        return fault.heal((), (service,))
    from capsize.cli.holding import detached, held
    from capsize.platforms.local.attached import attach

    meant = Spec(name="stop", args={"hard": True}) if action == "restart" else Spec(name=action)
    held_s = 0.0 if action in ("restart", "kill") and delay is None else delay
    platform = attach()
    plan = fault.plan(platform, meant, (service,), held_s)
    return detached(plan) if held_s is None else held(platform, plan)


def _stay(state: StackState) -> None:
    """Wait until the stack goes away or a signal comes; then take it down."""
    from capsize.guardian.registry import state_folder
    from capsize.platforms.local import stack

    click.echo("Ctrl-C stops everything.")
    try:
        while stack.read_state(state_folder()) is not None:
            time.sleep(WATCH_EVERY_S)
        click.echo("The stack was taken down.")
    finally:
        stack.down()
        loglinks.clear(Path(state.logs))


@contextmanager
def _ending_on_signals() -> Iterator[None]:
    """Have SIGTERM and SIGHUP unwind like Ctrl-C does, so that what was begun is ended in order."""

    def unwind(number: int, _: FrameType | None) -> NoReturn:
        raise SystemExit(SIGNALLED + number)

    before = {number: signal.signal(number, unwind) for number in (signal.SIGTERM, signal.SIGHUP)}
    try:
        yield
    finally:
        for number, handler in before.items():
            signal.signal(number, handler)


def _listens_on(state: StackState, port: int) -> bool:
    return state.api_url is not None and state.api_url.endswith(f":{port}")


def _addresses(state: StackState) -> None:
    click.echo(f"Platform: {state.platform}")
    click.echo(f"API:      {state.api_url}")
    click.echo(f"Docs:     {state.api_url}/docs")
    click.echo(f"Database: {state.database_url}")
    click.echo(f"Logs:     {state.logs}")


def _tell(line: str) -> None:
    click.echo(f"  {line}")


def _look(state: StackState, path: str) -> Any:
    """Return what the API answers to a GET, or a text that says why it does not."""
    try:
        with urllib.request.urlopen(f"{state.api_url}{path}", timeout=LOOK_LIMIT_S) as answer:
            return json.load(answer)
    except urllib.error.HTTPError as error:
        return f"HTTP {error.code}"
    except (OSError, ValueError) as error:
        return f"no answer: {error}"


def _short(answer: Any) -> str:
    if isinstance(answer, dict):
        return ", ".join(f"{name} {value}" for name, value in answer.items() if not isinstance(value, dict))
    return str(answer)
