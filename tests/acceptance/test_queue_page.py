"""The page over the task queues is what the measured cards say."""

from __future__ import annotations

from pathlib import Path

from click.testing import CliRunner

from capsize.cli.app import cli
from capsize.systems.queue import LIBRARIES

ROOT = Path(__file__).parents[2]


def test_the_page_is_made_from_the_cards() -> None:
    """docs/queues.md is what the command prints."""
    printed = CliRunner().invoke(
        cli, ["queue", "--page", str(ROOT / "docs" / "queues")], standalone_mode=False
    )
    assert printed.output == (ROOT / "docs" / "queues.md").read_text()


def test_every_library_was_measured_both_ways() -> None:
    """A card for each library and configuration, so that no row is missing from the page."""
    cards = {file.stem for file in (ROOT / "docs" / "queues").glob("*.json")}
    assert cards == {f"{name}-{config}" for name in LIBRARIES for config in ("default", "safe")}


def test_a_folder_without_cards_is_a_usage_error(tmp_path) -> None:
    """The message says how to make one."""
    from capsize.cli.app import entry

    assert entry(["queue", "--page", str(tmp_path)]) == 64
    (tmp_path / "x.json").write_text("{}")
    assert entry(["queue", "--page", str(tmp_path)]) == 64


def test_a_library_that_is_not_known_is_a_usage_error(capsys) -> None:
    """With the name that was probably meant, and before anything is started; so is none at all, and no time to wait."""
    from capsize.cli.app import entry

    assert entry(["queue", "selery"]) == 64
    assert "celery" in capsys.readouterr().err
    assert entry(["queue"]) == 64
    assert entry(["queue", "celery", "--wait", "0"]) == 64
