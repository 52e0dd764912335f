"""``capsize schema``: the JSON Schema of what capsize writes."""

from __future__ import annotations

import click

NAMES = ("report", "summary")


@click.command("schema", short_help="The JSON Schema of report.json or summary.json.")
@click.argument("name", type=click.Choice(NAMES))
def schema_command(name: str) -> int:
    """Print the JSON Schema of report.json or summary.json, made from the types that write them."""
    from capsize.report import document

    click.echo(document.schema(name), nl=False)
    return 0
