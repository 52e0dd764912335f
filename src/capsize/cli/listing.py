"""``capsize list``: the catalogue, made from the code; ``docs/`` holds its Markdown."""

from __future__ import annotations

import json
from collections.abc import Sequence
from typing import TYPE_CHECKING, Any, cast

import click

if TYPE_CHECKING:
    from capsize.core.experiment import Experiment
    from capsize.scenarios import Scenario

COLUMNS = 79

Rows = list[tuple[str, ...]]
Table = tuple[tuple[str, ...], Rows]
"""A header and rows."""


@click.command("list")
@click.argument("what", type=click.Choice(("scenarios", "levels", "faults")))
@click.option("--json", "as_json", is_flag=True, help="JSON on stdout.")
@click.option("--markdown", "as_markdown", is_flag=True, help="The page that docs/ holds.")
def list_command(what: str, as_json: bool, as_markdown: bool) -> int:
    """List what there is: scenarios, levels, or faults."""
    from capsize.core.errors import UsageError

    if as_json and as_markdown:
        raise UsageError("--json and --markdown exclude each other; give one of them")
    if as_markdown:
        click.echo(page(what), nl=False)
        return 0
    # Not in the page, which must be the same on every machine.
    more = _installed() if what == "scenarios" else []
    if as_json:
        click.echo(json.dumps(_documents(what) + more, indent=2))
    else:
        header, rows = _table(what)
        click.echo(plain(header, rows + [(one["name"], one["purpose"]) for one in more]), nl=False)
    return 0


LEVEL_NOTES = """\
Strikes: the seconds between two of them; the first comes while work is in flight. Done: the share of the
tasks that must be completed in time. A soft deadline may be missed. API: the least share of good API calls.
At every level, also at 6, no anomaly is allowed: nothing lost, nothing run twice, nothing stuck."""


def page(what: str) -> str:
    """Return the generated page of ``docs/`` on scenarios, levels or faults."""
    from capsize.cli import fault_page
    from capsize.report.markdown import table

    titles = {"scenarios": "Scenarios", "levels": "Difficulty levels", "faults": "Faults"}
    header, rows = _page_table(what)
    made = f"<!-- Made by `capsize list {what} --markdown`; a test compares. Do not edit. -->"
    lines = [f"# {titles[what]}", "", made, "", *table(header, rows)]
    if what == "scenarios":
        lines += _scenario_sections()
    if what == "levels":
        lines += ["", LEVEL_NOTES, ""]
        lines += [f"- Level {row['number']}, {row['name']}: {row['purpose']}." for row in _documents(what)]
    if what == "faults":
        lines += ["", fault_page.note()]
    return "\n".join(lines) + "\n"


def _page_table(what: str) -> Table:
    """Return the table of a page, which may have more columns than a terminal."""
    from capsize.cli import fault_page

    return fault_page.table() if what == "faults" else _table(what)


def _table(what: str) -> Table:
    return {"scenarios": _scenario_table, "levels": _level_table, "faults": _fault_table}[what]()


def _documents(what: str) -> list[dict[str, Any]]:
    return {"scenarios": _scenarios, "levels": _levels, "faults": _faults}[what]()


# ---------------------------------------------------------------- scenarios


def _scenarios() -> list[dict[str, Any]]:
    """Return each scenario with what it plans at level 1; the claims and faults do not depend on the seed."""
    from capsize.core.levels import LEVELS
    from capsize.scenarios import SCENARIOS

    return [
        _scenario(scenario, [scenario.plan(level, 1) for level in LEVELS.values()])
        for scenario in SCENARIOS.values()
    ]


def _installed() -> list[dict[str, Any]]:
    """Return the scenarios of installed packages; one that is broken is complained of and left out."""
    from capsize.cli.exits import complain
    from capsize.core.levels import LEVELS
    from capsize.scenarios import custom

    found = []
    for name in custom.installed():
        try:
            scenario = custom.find(name)
            found.append(
                _scenario(scenario, [custom.planned(scenario, level, 1) for level in LEVELS.values()])
            )
        except custom.BrokenScenario as error:
            complain(f"{name}: {error}", where="capsize list")
    return found


def _scenario(scenario: Scenario, plans: list[Experiment]) -> dict[str, Any]:
    """Return the entry of a scenario, from its plans at all levels."""
    return {
        "name": scenario.name,
        "purpose": scenario.purpose,
        "about": first_paragraph(scenario.plan.__doc__),
        "phases": [phase.name for phase in plans[0].phases],
        "faults": sorted({strike.fault.name for plan in plans for strike in plan.strikes}),
        "targets": sorted({strike.target.service for plan in plans for strike in plan.strikes}),
        "hypothesis": list(plans[0].hypothesis.told),
        "claims": list(dict.fromkeys(claim.name for plan in plans for claim in plan.checkers)),
        "alone": scenario.alone,
        "standard": scenario.standard,
        "links": sorted({f"{link.source} to {link.target}" for plan in plans for link in plan.links}),
        "figures": {
            str(plan.level.number): scenario.figures(plan.level) if scenario.figures else {} for plan in plans
        },
    }


def _scenario_table() -> Table:
    return ("Scenario", "Purpose"), [(found["name"], found["purpose"]) for found in _scenarios()]


def _scenario_sections() -> list[str]:
    lines = []
    for found in _scenarios():
        faults = ", ".join(found["faults"]) or "none"
        on = f" on {', '.join(found['targets'])}" if found["targets"] else ""
        lines += ["", f"## {found['name']}", "", found["about"], ""]
        lines += [f"- Phases: {', '.join(found['phases'])}", f"- Faults: {faults}{on}"]
        if found["links"]:
            lines.append(f"- Connections through a proxy: {', '.join(found['links'])}")
        if not found["standard"]:
            lines.append("- Runs only when it is named")
        if found["alone"]:
            lines.append("- Measures speed: `--jobs auto` runs it when nothing else runs")
        lines.append(f"- Normal, before and after: {'; '.join(found['hypothesis'])}")
        lines += [f"- Claims: {', '.join(found['claims'])}", *_figure_table(found["figures"])]
    return lines


def _figure_table(figures: dict[str, dict[str, str]]) -> list[str]:
    """Return the figures that are a scenario's own, a row for each level; nothing when it has none."""
    header = ("Level", *next(iter(figures.values()), {}))
    if len(header) == 1:
        return []
    rows = [(number, *row.values()) for number, row in figures.items()]
    return ["", *(f"| {' | '.join(cells)} |" for cells in (header, ["---"] * len(header), *rows))]


# ---------------------------------------------------------------- levels


def _levels() -> list[dict[str, Any]]:
    import msgspec

    from capsize.core.levels import LEVELS

    return [msgspec.to_builtins(level) for level in LEVELS.values()]


def _level_table() -> Table:
    header = ("Level", "Name", "Workers", "Tasks", "Deadline", "Strikes", "Done", "API")
    rows: Rows = []
    for level in _levels():
        low, high = level["interval_s"]
        least, most = level["completion_min"], level["completion_max"]
        rows.append(
            (
                str(level["number"]),
                level["name"],
                str(level["workers"]),
                f"{level['tasks']} x {level['task_delay_s']:g} s",
                f"{level['deadline_s']:g} s" + ("" if level["deadline_binds"] else " soft"),
                f"{low:g}-{high:g} s",
                f"{least * 100:.0f}-{most:.0%}",
                f"{level['api_success_min']:.0%}",
            )
        )
    return header, rows


# ---------------------------------------------------------------- faults


def _faults() -> list[dict[str, Any]]:
    import msgspec

    from capsize.faults import FAULTS

    found = []
    for name, fault in FAULTS.items():
        fields = msgspec.structs.fields(cast("type[msgspec.Struct]", fault))
        found.append(
            {
                "name": name,
                "about": first_paragraph(fault.__doc__),
                "needs": [ability.__name__ for ability in fault.requires],
                "arguments": {
                    field.name: None if field.default is msgspec.NODEFAULT else field.default
                    for field in fields
                },
            }
        )
    return found


def _fault_table() -> Table:
    rows: Rows = []
    for found in _faults():
        arguments = ", ".join(
            name if value is None else f"{name}={value}" for name, value in found["arguments"].items()
        )
        rows.append((found["name"], found["about"], ", ".join(found["needs"]), arguments))
    return ("Fault", "What it does", "Needs", "Arguments"), rows


# ---------------------------------------------------------------- text


def first_paragraph(text: str | None) -> str:
    return " ".join((text or "").strip().split("\n\n")[0].split())


def plain(header: Sequence[str], rows: Sequence[Sequence[str]]) -> str:
    """Return a table in columns; where it is too wide, each row becomes a small block instead."""
    table = [tuple(header), *rows]
    widths = [max(len(row[column]) for row in table) for column in range(len(header))]
    if sum(widths) + 2 * len(widths) <= COLUMNS:
        return "".join(
            "  ".join(cell.ljust(width) for cell, width in zip(row, widths, strict=True)).rstrip() + "\n"
            for row in table
        )
    return "\n".join(_block(header, row) for row in rows)


def _block(header: Sequence[str], row: Sequence[str]) -> str:
    import textwrap

    lines = [row[0]]
    for name, cell in zip(header[1:], row[1:], strict=True):
        if cell:
            lines += textwrap.wrap(cell, COLUMNS, initial_indent=f"  {name}: ", subsequent_indent="    ")
    return "\n".join(lines) + "\n"
