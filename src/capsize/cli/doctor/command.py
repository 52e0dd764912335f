"""The command."""

from __future__ import annotations

import json
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING

import click

from capsize.cli.options import json_option

if TYPE_CHECKING:
    from capsize.cli.doctor.finding import Finding

WORDS = {"ok": "ok", "limited": "LIMITED", "missing": "MISSING"}


@click.command("doctor", short_help="Check what works on this machine, and say why something does not.")
@click.option(
    "--output",
    envvar="OUTPUT_DIR",
    type=click.Path(path_type=Path),
    default=Path("runs"),
    show_default=True,
    help="Where runs would go.",
)
@click.option(
    "--strict", is_flag=True, help="Exit 1 also when something that only some faults need is missing."
)
@json_option
def doctor_command(output: Path, strict: bool, as_json: bool) -> int:
    """Look at this machine: Python, PostgreSQL, memory, clock, ports, Docker, and what the faults need.

    Changes nothing. Exits 0 when runs on processes of this machine work, else 1; with --strict when all works.
    """
    from capsize.cli.doctor.basics import basics
    from capsize.cli.doctor.machine import machine

    found: list[Finding] = []
    for finding in (*basics(output), *machine()):
        found.append(finding)
        if not as_json:
            click.echo(told(finding))
    code = exit_code(found, strict=strict)
    click.echo(document(found, code) if as_json else conclusion(found))
    return code


def told(finding: Finding) -> str:
    """Return a finding for a person."""
    lines = [f"{WORDS[finding.state]:<8} {finding.name}: {finding.found}"]
    if finding.state != "ok":
        lines += [f"{'':9}so: {finding.then}"] if finding.then else []
        lines += [f"{'':9}do: {finding.fix}"] if finding.fix else []
    return "\n".join(lines)


def conclusion(found: Sequence[Finding]) -> str:
    """Return what it comes to."""
    broken = [one.name for one in found if one.needed and one.state == "missing"]
    if broken:
        return f"\nRuns on processes of this machine will NOT work: {', '.join(broken)}."
    less = [one.name for one in found if one.state != "ok"]
    return "\nRuns will work." + (f" With less: {', '.join(less)}." if less else " Everything is there.")


def document(found: Sequence[Finding], code: int) -> str:
    """Return it as JSON."""
    import msgspec

    return json.dumps({"works": code == 0, "findings": [msgspec.to_builtins(one) for one in found]}, indent=2)


def exit_code(found: Sequence[Finding], *, strict: bool) -> int:
    """Return 1 when something is missing that is needed; with ``strict`` when anything is less than it could be."""
    return int(any(one.state != "ok" if strict else one.needed and one.state == "missing" for one in found))
