"""What the site makes from the code when it is built: the commands, the claims, the list of decisions, and the new home of links."""

from __future__ import annotations

import inspect
import re
from pathlib import Path
from typing import Any

import click
from mkdocs.structure.files import File, Files

ROOT = Path(__file__).parents[2]


def on_files(files: Files, config: Any) -> Files:
    """Add the pages that are made from the code, and those that later come beside them."""
    for path, text in (
        ("reference/commands.md", commands()),
        ("reference/claims.md", claims()),
        ("adr/index.md", decisions()),
    ):
        files.append(File.generated(config, path, content=text))
    return files


def on_config(config: Any) -> Any:
    """Put pages that the navigation does not name at its end, so that a new one is never lost."""
    named = set(re.findall(r"[\w/-]+\.md", str(config["nav"])))
    more = [
        path.relative_to(ROOT / "docs").as_posix()
        for path in sorted((ROOT / "docs").glob("*.md"))
        if path.relative_to(ROOT / "docs").as_posix() not in named
    ]
    if more:
        config["nav"].append({"More": more})
    decided = sorted((ROOT / "docs" / "adr").glob("*.md"))
    config["not_in_nav"] = config["not_in_nav"] or _spec([f"adr/{path.name}" for path in decided])
    return config


def on_page_markdown(markdown: str, page: Any, config: Any, files: Files) -> str:
    """Point links that leave the docs to the project's own pages, which the site does not hold, as plain words."""
    return re.sub(r"\[([^\]]+)\]\((?:\.\./)+(?!adr|images|schema|ci)([\w./-]+)\)", r"\1 (`\2`)", markdown)


def commands() -> str:
    """Return the help of every command."""
    from capsize.cli.app import cli

    lines = [
        "# Commands",
        "",
        "Made from the code. `capsize COMMAND --help` says the same on a terminal.",
        "",
    ]
    for name, command in sorted(cli.commands.items()):
        lines += _command(f"capsize {name}", command)
        if isinstance(command, click.Group):
            for below, one in sorted(command.commands.items()):
                lines += _command(f"capsize {name} {below}", one)
    return "\n".join(lines) + "\n"


def _command(path: str, command: click.Command) -> list[str]:
    context = click.Context(command, info_name=path, max_content_width=100, terminal_width=100)
    return [f"## {path}", "", "```text", command.get_help(context), "```", ""]


def claims() -> str:
    """Return each checker with what it claims, in its own words."""
    from capsize.checkers import CHECKERS

    lines = [
        "# Claims",
        "",
        "Made from the code. [Reading a report](../reading-a-report.md) says what to do about each.",
        "",
    ]
    for name, kind in CHECKERS.items():
        lines += [f"## {name}", "", inspect.cleandoc(kind.__doc__ or ""), ""]
        fields = getattr(kind, "__struct_fields__", ())
        if fields:
            lines += ["Arguments: " + ", ".join(f"`{field}`" for field in fields), ""]
    return "\n".join(lines) + "\n"


def decisions() -> str:
    """Return the list of decision records."""
    lines = ["# Decisions", "", "Each is short, and says what was chosen, against what, and why.", ""]
    for path in sorted((ROOT / "docs" / "adr").glob("[0-9]*.md")):
        title = path.read_text().partition("\n")[0].lstrip("# ")
        lines.append(f"- [{title}]({path.name})")
    return "\n".join(lines) + "\n"


def _spec(names: list[str]) -> Any:
    import pathspec

    return pathspec.gitignore.GitIgnoreSpec.from_lines(names)
