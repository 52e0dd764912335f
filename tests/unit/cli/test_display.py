"""The live display on a terminal, and who gets plain lines instead."""

from __future__ import annotations

import io
from pathlib import Path

import pytest

from capsize.cli.display import Guarded, Live, Plain, choose
from support.literal_runs import events, experiment


class Terminal(io.StringIO):
    """A stream that says that it is a terminal."""

    def isatty(self) -> bool:
        """Say so."""
        return True


@pytest.fixture(autouse=True)
def _a_person_s_terminal(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("CI", raising=False)
    monkeypatch.delenv("NO_COLOR", raising=False)
    monkeypatch.setenv("TERM", "xterm")
    monkeypatch.setenv("COLUMNS", "80")


def _shown(stream: Terminal) -> str:
    display = choose(stream, verbose=False)
    display.begin(experiment(), Path("runs/one"), 1, 1)
    for event in events():
        display.observe(event)
    display.end(" worker-restart: PASS")
    return stream.getvalue()


def test_a_terminal_gets_live_lines_with_strikes_above_them() -> None:
    """Phase with its limit, figures so far, each strike as it landed, and the verdict at the end."""
    text = _shown(Terminal())
    for part in (
        "steady, 0.0 s of at most 5 s",
        "tasks 1/1 done, 1 retry, API 50.0%, 1 strike landed",
        "strike s1: kill worker-1: landed",
        "worker-restart: PASS",
    ):
        assert part in text


def test_no_color_is_heard(monkeypatch: pytest.MonkeyPatch) -> None:
    """With NO_COLOR no colour is written; the counterpart shows that it would be."""
    assert "\x1b[33m" in _shown(Terminal())
    monkeypatch.setenv("NO_COLOR", "1")
    assert "\x1b[33m" not in _shown(Terminal())


@pytest.mark.parametrize(("name", "value"), [("CI", "true"), ("TERM", "dumb"), ("TERM", "")])
def test_ci_and_dumb_terminals_get_plain_lines(
    monkeypatch: pytest.MonkeyPatch, name: str, value: str
) -> None:
    """Not one escape sequence."""
    monkeypatch.setenv(name, value)
    assert "\x1b" not in _shown(Terminal())


def test_a_file_gets_plain_lines() -> None:
    """What is not a terminal is written line by line."""
    stream = io.StringIO()
    choose(stream, verbose=False).say("hello")
    assert stream.getvalue() == "hello\n"


@pytest.mark.parametrize("kind", [Live, Plain])
def test_a_stream_that_fails_silences_the_display_for_good(kind: type[Live] | type[Plain]) -> None:
    """A closed pipe is met once; afterwards nothing is tried any more, and nothing is raised."""
    stream = Terminal()
    display = Guarded(kind(stream, False))
    stream.close()
    display.begin(experiment(), Path("runs/one"), 1, 1)
    for event in events():
        display.observe(event)
    display.end("over")
