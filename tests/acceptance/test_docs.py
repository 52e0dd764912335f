"""README and docs: every command in them exists with these flags, and every table is made from the code."""

from __future__ import annotations

import re
import shlex
from collections.abc import Iterator
from pathlib import Path

import click
import pytest

from capsize.checkers import CHECKERS
from capsize.cli.app import cli
from capsize.cli.listing import page

ROOT = Path(__file__).parents[2]
PAGES = sorted([ROOT / "README.md", *ROOT.glob("docs/**/*.md"), *ROOT.glob("docs/**/*.yml")])
RUN_SCRIPTS = {
    "test-chaos.sh": "run",
    "status.sh": "status",
    "service-chaos.sh": "strike",
    "auth-helper.sh": "auth",
    "task-flood.sh": "flood",
    "test-with-curl.sh": "api-check",
}


def commands() -> Iterator[tuple[str, str]]:
    """Yield every command of ours in a page, from code blocks, tables and running text."""
    pattern = re.compile(
        r"(?:^|[`\s(])((?:\./scripts/\S+\.sh|capsize)\b(?:\"[^\"\n]*\"|[^`#|\n>\"])*)", re.MULTILINE
    )
    for found in PAGES:
        text = re.sub(r"```text.*?```", "", found.read_text(), flags=re.DOTALL)
        for span in re.findall(r"`([^`\n]+)`", text) + _blocks(text) + _workflow(found, text):
            for command in pattern.findall(span):
                yield found.name, command.strip()


def _blocks(text: str) -> list[str]:
    return re.findall(r"```bash\n(.*?)```", text, flags=re.DOTALL)


def _workflow(path: Path, text: str) -> list[str]:
    return re.findall(r"run: (.*)", text) if path.suffix == ".yml" else []


COMMANDS = sorted(set(commands()))


def test_commands_are_found_at_all() -> None:
    """The pattern matches: an empty list would let every other test here pass."""
    texts = [text for _, text in COMMANDS]
    assert "./scripts/test-chaos.sh --scenarios baseline,worker-restart,multi-worker-chaos" in texts
    assert (
        "./scripts/test-chaos.sh --difficulty 2 --output chaos-results --report junit=chaos-results/junit.xml"
        in texts
    )
    assert len(texts) > 15


@pytest.mark.parametrize(("where", "text"), COMMANDS, ids=lambda value: value)
def test_every_command_is_valid(where: str, text: str) -> None:
    """The script is there, and click takes the words: command, arguments and flags; nothing is run."""
    words = shlex.split(text)
    if words[0].startswith("./scripts/"):
        assert (ROOT / words[0]).is_file(), f"{where}: {words[0]} does not exist"
        command = RUN_SCRIPTS.get(Path(words[0]).name)
        words = [command, *words[1:]] if command else []
    else:
        words = words[1:]
    if words and not words[0].startswith("--"):
        _parse(words)


def _parse(words: list[str]) -> None:
    found = cli.commands.get(words[0])
    if isinstance(found, click.Group) and len(words) > 1:
        found, words = found.commands[words[1]], words[1:]
    if found is None:
        # `capsize` beside a word of running text, as in "capsize.cli": only real commands have flags.
        assert not any(word.startswith("-") for word in words), words
        return
    if len(words) == 1 and any(isinstance(p, click.Argument) or p.required for p in found.params):
        return  # named in passing, without its arguments
    words = [re.sub(r"^(restart\|.*|WHAT|RUN)$", "restart", word) for word in words]
    with found.make_context(words[0], words[1:]):
        pass


def test_scenarios_in_examples_exist() -> None:
    """A newcomer's first command must not end with 64."""
    from capsize.scenarios import SCENARIOS

    for _, text in COMMANDS:
        words = shlex.split(text)
        if "--scenarios" in words:
            for name in words[words.index("--scenarios") + 1].split(","):
                assert name in SCENARIOS or name.startswith("./"), text


@pytest.mark.parametrize("what", ["scenarios", "levels"])
def test_the_readme_s_tables_are_those_of_the_code(what: str) -> None:
    """The same rows as `capsize list`, so that they can't be out of date."""
    first = page(what).partition("\n## ")[0]
    rows = [line for line in first.splitlines() if line.startswith("|")]
    assert "\n".join(rows) in (ROOT / "README.md").read_text()


@pytest.mark.parametrize("name", CHECKERS)
def test_every_claim_is_explained(name: str) -> None:
    """A verdict that nobody explains helps nobody: docs/reading-a-report.md has a row for each checker."""
    assert f"| `{name}` |" in (ROOT / "docs" / "reading-a-report.md").read_text()


def test_links_lead_somewhere() -> None:
    """Every relative link in README and docs names a file that is there."""
    for found in PAGES:
        for target in re.findall(r"\]\(([^)#:]+?)(?:#[^)]*)?\)", found.read_text()):
            assert (found.parent / target).exists(), f"{found.name}: {target}"


def test_no_page_names_a_path_of_some_machine() -> None:
    """Pages and scripts hold for everybody's clone."""
    for found in [*PAGES, *ROOT.glob("scripts/**/*.sh"), ROOT / "constraints.txt"]:
        assert not re.search(r"(^|[\s\"'`(])/(work|root|home)/", found.read_text()), found
