"""The live view: what it knows of a run and what is on the screen, from literal events."""

from __future__ import annotations

import io

import pytest
from rich.console import Console

from capsize.cli.display import Plain, choose
from capsize.cli.live.board import Board
from capsize.cli.live.drawing import screen
from capsize.core.events import Event, InstanceChanged, Op, PhaseChanged, Sample, Struck, Witnessed
from support import literal_runs


def board(*events: Event) -> Board:
    """Return a board that was told of these events."""
    made = Board(literal_runs.experiment(), 2, 3)
    for event in events:
        made.observe(event)
    return made


def drawn(found: Board, width: int = 120, height: int = 40) -> str:
    """Return the screen as text without colour."""
    console = Console(file=io.StringIO(), width=width, height=height, color_system=None)
    console.print(screen(found, width, height))
    return console.file.getvalue()  # type: ignore[attr-defined]


def lane(text: str, label: str) -> str:
    """Return the cells of a lane."""
    line = next(line for line in text.splitlines() if line[2:].startswith(label))
    return line[2 + 25 :].rstrip(" │")


def stats(t: float, pending: int) -> Sample:
    """Return a look at the queue."""
    return Sample(t=t, probe="stats", began=t, values={"pending": pending, "running": 1})


def test_everything_worth_watching_is_on_the_screen() -> None:
    """Scenario, phase, strikes, instances, success, queue and the way out."""
    text = drawn(board(*literal_runs.events(), stats(5.0, 4)))
    for word in (
        "[2/3] worker-restart",
        "chaos",
        "s1 kill worker-1",
        "ready",
        "API success",
        "queue, at most 5",
    ):
        assert word in text
    assert "1 of 1 done, 1 retry" in text
    assert "strike s1: kill worker-1: landed" in text
    assert "q  heals, stops and reports" in text


def test_before_the_first_event_there_is_a_screen_too() -> None:
    """Nothing divides by nothing."""
    assert "starting the system" in drawn(board())


@pytest.mark.parametrize(("width", "height"), [(40, 12), (80, 24), (300, 90)])
def test_it_fits_every_terminal(width: int, height: int) -> None:
    """No line is wider than the terminal, and there are no more lines than it has."""
    lines = drawn(board(*literal_runs.events()), width, height).splitlines()
    assert len(lines) <= height
    assert max(map(len, lines)) <= width


def test_an_instance_that_went_down_and_came_back_is_seen() -> None:
    """Its lane reads without colour: up, gone, starting, up."""
    found = board(
        InstanceChanged(t=1.0, instance="worker-1", service="worker", state="ready"),
        InstanceChanged(t=5.0, instance="worker-1", service="worker", state="exited", code=-9),
        InstanceChanged(t=6.0, instance="worker-1", service="worker", state="starting"),
        InstanceChanged(t=8.0, instance="worker-1", service="worker", state="ready"),
        PhaseChanged(t=20.0, phase="drain", what="begin"),
    )
    signs = lane(drawn(found), "worker-1").replace(" ", "")
    assert [one for number, one in enumerate(signs) if number == 0 or one != signs[number - 1]] == [
        "█",
        "╳",
        "▒",
        "█",
    ]


def test_a_short_outage_does_not_vanish_on_a_long_run() -> None:
    """Of all that happened within a column the worst is shown."""
    found = board(
        InstanceChanged(t=1.0, instance="api-1", service="api", state="ready"),
        InstanceChanged(t=300.0, instance="api-1", service="api", state="exited", code=-9),
        InstanceChanged(t=300.1, instance="api-1", service="api", state="ready"),
        PhaseChanged(t=600.0, phase="drain", what="begin"),
    )
    assert lane(drawn(found), "api-1").count("╳") == 1


def test_a_job_that_is_done_is_not_shown_as_down() -> None:
    """The migration ended as it should; it is no part of what stands."""
    found = board(
        InstanceChanged(t=1.0, instance="migrate", service="migrate", state="starting"),
        InstanceChanged(t=2.0, instance="migrate", service="migrate", state="stopped", code=0),
    )
    assert "migrate" not in drawn(found)


def test_success_falls_in_the_lane_when_calls_fail() -> None:
    """A stretch of failures is low, one of good answers high."""

    def call(t: float, good: bool) -> Op:
        return Op(
            t=t,
            call="api:me",
            client="a",
            outcome="ok" if good else "fail",
            planned=t,
            sent=t,
            status=200 if good else 503,
        )

    found = board(*(call(number / 10, not 80 <= number < 120) for number in range(1, 200)))
    signs = lane(drawn(found), "API success")
    assert signs[0] == "█"
    assert signs[len(signs) // 2] == "▁"
    assert signs[-1] == "█"


def test_who_is_at_work_is_known_from_the_witness() -> None:
    """A worker is at work from started to finished, and no longer when it dies."""
    ready = InstanceChanged(t=1.0, instance="worker-1", service="worker", state="ready")
    started = Witnessed(t=2.0, task="t1", event="started", attempt=1, worker="worker-1")
    assert "ready, at work" in drawn(board(ready, started))
    finished = Witnessed(t=3.0, task="t1", event="finished", attempt=1, worker="worker-1")
    assert "ready, idle" in drawn(board(ready, started, finished))
    died = InstanceChanged(t=3.0, instance="worker-1", service="worker", state="exited", code=-9)
    assert board(ready, started, died).inside == {}


def test_a_strike_that_never_came_to_its_turn_has_no_lane() -> None:
    """What was not carried out is told among the events alone."""
    text = drawn(board(Struck(t=3.0, strike="s9", stage="not_carried_out", fault="kill", detail="late")))
    assert "no strike yet" in text
    assert "s9" in text


def test_without_a_terminal_there_are_plain_lines() -> None:
    """--live in a pipe harms nobody."""
    assert isinstance(choose(io.StringIO(), verbose=False, live=True)._shown, Plain)  # type: ignore[attr-defined]
