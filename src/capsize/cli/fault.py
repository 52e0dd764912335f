"""``capsize fault``: one fault at a time, on the stack that is up."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any

import click

from capsize.cli.options import Finite, json_option, options

if TYPE_CHECKING:
    from capsize.cli.injections import Plan
    from capsize.platforms.local.attached import AttachedPlatform

OTHER_NAMES = {"server": "api", "database": "postgres", "db": "postgres"}
"""Other names for services, as the guide and habit have them."""

aim_options = options(
    click.option(
        "--service",
        "services",
        multiple=True,
        metavar="NAME",
        help="Whom: api (or server), worker, postgres, all its instances; or one instance, as in worker-1.",
    ),
    click.option("--instance", "instances", multiple=True, metavar="NAME", help="Whom: one instance."),
)


@click.group("fault", short_help="Break the starter that is up, one fault at a time.")
def fault_group() -> None:
    """List, inject and heal single faults on the stack that ``capsize up`` started."""


@fault_group.command("list")
@json_option
def list_faults(as_json: bool) -> int:
    """List the faults, what each needs, and whether the stack that is up can have it now."""
    from capsize.cli.fault_table import now, told

    found = now()
    click.echo(json.dumps(found, indent=2) if as_json else told(found), nl=as_json)
    return 0


@fault_group.command("inject")
@click.argument("name")
@aim_options
@click.option("--for", "for_s", type=Finite(), help="Seconds until it is healed; without it, until Ctrl-C.")
@click.option(
    "--set",
    "settings",
    multiple=True,
    metavar="FIELD=VALUE",
    help="A field of the fault, as often as needed.",
)
@click.option(
    "--detach", is_flag=True, help="Return when it has struck; `capsize fault heal` ends it, or --for."
)
@click.option("--holder", is_flag=True, hidden=True)
def inject_fault(
    name: str,
    services: tuple[str, ...],
    instances: tuple[str, ...],
    for_s: float | None,
    settings: tuple[str, ...],
    detach: bool,
    holder: bool,
) -> int:
    """Inject one fault into the stack that is up, hold it, and heal it.

    Ctrl-C and SIGTERM heal at once; when this command is killed, its guardian heals. ``capsize fault list``
    shows the faults and their fields.
    """
    from capsize.cli.fault_fields import spec
    from capsize.cli.holding import detached, held
    from capsize.core.errors import UsageError
    from capsize.platforms.local.attached import attach

    if for_s is not None and for_s < 0:
        raise UsageError(f"--for is {for_s:g}; it can't be negative")
    fault = spec(name, settings)
    platform = attach()
    made = plan(platform, fault, (*services, *instances), for_s)
    return detached(made) if detach else held(platform, made, holder=holder)


@fault_group.command("heal")
@click.argument("what", nargs=-1)
@aim_options
@click.option("--by-guardian", is_flag=True, hidden=True)
def heal_faults(
    what: tuple[str, ...], services: tuple[str, ...], instances: tuple[str, ...], by_guardian: bool
) -> int:
    """Heal what was injected: all of it, or WHAT, by the ids or faults that `capsize fault list` shows.

    With --service or --instance what was injected into these is healed, and whatever else of them is down or
    frozen is brought back.
    """
    return heal(what, (*services, *instances), by_guardian=by_guardian)


def heal(what: tuple[str, ...], whom: tuple[str, ...], *, by_guardian: bool = False) -> int:
    """Heal what was injected; see the command."""
    from capsize.cli.injections import chosen, end, end_here, injected
    from capsize.guardian.registry import state_folder
    from capsize.platforms.local import stack
    from capsize.platforms.local.attached import attach

    if stack.read_state(state_folder()) is None:
        click.echo("No stack is up: nothing is injected.")
        return 0
    platform = attach()
    victims = aimed(platform, whom)
    opened = injected(platform)
    if by_guardian:
        # What was healed in the last moment is not there any more, and that is fine.
        opened, what = [one for one in opened if one.strike.strike in what], ()
    found = [one for one in chosen(opened, what) if not whom or {*one.strike.victims} & {*victims}]
    for one in found:
        (end_here if by_guardian else end)(platform, one)
        say(f"{one.strike.fault} on {', '.join(one.strike.victims)}: healed")
    if whom:
        bring_back(platform, victims)
    elif not found:
        click.echo("Nothing is injected.")
    return 0


def bring_back(platform: AttachedPlatform, victims: tuple[str, ...]) -> None:
    """Have instances up and at work, whatever was done to them."""
    import asyncio

    from capsize.faults import Pause, Stop
    from capsize.faults.injection import heal as heal_one

    async def both() -> None:
        # A frozen instance counts as up: it has to go on before it can be seen to be.
        for fault in (Pause(), Stop()):
            await heal_one(fault, platform, victims)

    asyncio.run(both())
    say(f"{', '.join(victims)}: up")


def plan(platform: AttachedPlatform, fault: Any, whom: tuple[str, ...], for_s: float | None) -> Plan:
    """See that the stack can have a fault, and whom it hits. Raises UsageError; nothing was touched then."""
    from capsize.cli.injections import Plan
    from capsize.core.errors import UsageError
    from capsize.core.platform import Instance
    from capsize.core.protocols import Aimed, Prepared
    from capsize.core.registry import make
    from capsize.faults import FAULTS, why_not
    from capsize.faults.database import must_be_database

    made = make(FAULTS, fault, "fault")
    reason = why_not(made, platform)
    if reason is not None:
        raise UsageError(f"the fault {fault.name!r} {reason}")
    if not whom and isinstance(made, Aimed):
        whom = _database(platform)
    if not whom:
        known = ", ".join(dict.fromkeys(one.service for one in platform.instances()))
        raise UsageError(f"whom? Give --service, one of {known}, or --instance")
    victims = aimed(platform, whom)
    if isinstance(made, Aimed):
        must_be_database(platform, victims)
    services: dict[str, Instance] = {one.service: one for one in platform.instances() if one.name in victims}
    needed = made.prepares if isinstance(made, Prepared) else None
    unprepared = [name for name in services if needed and needed not in platform.offer.prepared.get(name, ())]
    if unprepared:
        raise UsageError(
            f"{', '.join(unprepared)} was not started ready for {fault.name!r}. "
            f"Start the stack with: capsize up --prepare {needed}"
        )
    return Plan(fault=fault, victims=victims, for_s=for_s)


def aimed(platform: AttachedPlatform, whom: tuple[str, ...]) -> tuple[str, ...]:
    """Return the instances that are meant. Raises UsageError for a name that is not known."""
    from capsize.faults.injection import aimed as meant

    return meant(platform, [OTHER_NAMES.get(name, name) for name in whom])


def say(text: str) -> None:
    """Say what was done, and when."""
    import time

    click.echo(f"{time.strftime('%H:%M:%S')}  {text}")


def _database(platform: AttachedPlatform) -> tuple[str, ...]:
    from urllib.parse import urlsplit

    port = urlsplit(platform.database_url).port
    return tuple(one.name for one in platform.instances() if one.port == port)
