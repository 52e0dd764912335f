"""`capsize list`: the catalogue comes from the code, in three forms."""

from __future__ import annotations

import json
from collections.abc import Callable
from importlib.metadata import EntryPoint
from pathlib import Path
from typing import Any

import pytest

from capsize.cli import fault_page
from capsize.cli.listing import page
from capsize.core.levels import LEVELS
from capsize.faults import FAULTS
from capsize.scenarios import SCENARIOS, custom

DOCS = Path(__file__).parents[3] / "docs"
KEYS = {"scenarios": list(SCENARIOS), "levels": [str(number) for number in LEVELS], "faults": list(FAULTS)}


@pytest.mark.parametrize("what", KEYS)
def test_every_entry_is_listed(capsize: Callable[..., Any], what: str) -> None:
    """Each scenario, level and fault of the code has its line, within 80 columns."""
    ran = capsize("list", what)
    assert ran.code == 0
    firsts = [line.split()[0] for line in ran.out.splitlines() if line and not line.startswith(" ")]
    assert [first for first in firsts if first in KEYS[what]] == KEYS[what]
    assert max(map(len, ran.out.splitlines())) <= 80


@pytest.mark.parametrize("what", KEYS)
def test_json_holds_the_same_entries(capsize: Callable[..., Any], what: str) -> None:
    """A script reads the catalogue from stdout, and nothing else is there."""
    entries = json.loads(capsize("list", what, "--json").out)
    assert [str(entry.get("number", entry["name"])) for entry in entries] == KEYS[what]


@pytest.mark.parametrize("what", KEYS)
def test_the_pages_in_docs_are_what_the_code_says(capsize: Callable[..., Any], what: str) -> None:
    """docs/ holds the generated page, byte for byte. To renew: capsize list WHAT --markdown > docs/WHAT.md."""
    assert (DOCS / f"{what}.md").read_text() == capsize("list", what, "--markdown").out


@pytest.mark.parametrize("name", FAULTS)
def test_every_fault_has_its_row_with_figures_or_why_there_are_none(name: str) -> None:
    """Needs, at least one platform, how it heals and two times; what was not measured is listed with its reason."""
    rows = [[cell.strip() for cell in line.split("|")] for line in page("faults").splitlines()]
    (row,) = (cells[1:-1] for cells in rows if len(cells) > 2 and cells[1] == name)
    assert len(row) == 8
    assert all(row[column] for column in (1, 3, 4, 5, 6, 7))
    measured = fault_page.measured().faults.get(name)
    if measured is None or measured.strike_s is None:
        assert row[6:] == [fault_page.NOT_MEASURED] * 2
        assert f"- `{name}`: " in page("faults")
    else:
        assert 0 <= measured.strike_s < 30


def test_scenarios_of_packages_are_listed_and_a_broken_one_is_said(
    capsize: Callable[..., Any], monkeypatch: pytest.MonkeyPatch
) -> None:
    """In the list and not in the generated page, which must be the same on every machine."""
    entries = [
        EntryPoint("theirs", "support.theirs:SCENARIO", custom.GROUP),
        EntryPoint("broken", "support.nowhere:SCENARIO", custom.GROUP),
    ]
    monkeypatch.setattr(custom, "entry_points", lambda group: entries)
    ran = capsize("list", "scenarios", "--json")
    assert ran.code == 0
    assert json.loads(ran.out)[-1]["name"] == "theirs"
    assert "capsize list: broken: " in ran.err
    assert "theirs" not in page("scenarios")
