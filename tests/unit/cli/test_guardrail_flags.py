"""``--abort-when`` and ``--max-harm``: refused before anything starts, kept in the plan and in the command."""

from __future__ import annotations

import msgspec
import pytest

from capsize.cli.app import entry
from capsize.cli.guardrails import guarded
from capsize.core.experiment import Experiment
from capsize.core.levels import level
from capsize.scenarios import SCENARIOS


def plan() -> Experiment:
    """Return any experiment."""
    return SCENARIOS["worker-restart"].plan(level(1), 1)


@pytest.mark.parametrize(
    ("argv", "said"),
    [
        (["--abort-when", "api_succes < 10%"], "did you mean 'api_success'"),
        (["--abort-when", "pending > 5", "--abort-when", "nonsense"], "not of the form"),
        (["--max-harm", "0"], "max-harm"),
    ],
)
def test_a_bad_guardrail_is_refused_before_anything_starts(
    argv: list[str], said: str, capsys: pytest.CaptureFixture[str]
) -> None:
    """One clear message and exit code 64."""
    assert entry(["run", "--scenarios", "worker-restart", *argv]) == 64
    assert said in capsys.readouterr().err


def test_they_are_part_of_the_plan() -> None:
    """A replay reads them from the experiment; those of the scenario itself stay, and the stricter bound wins."""
    own = msgspec.structs.replace(plan(), abort_when=("ready < 5%",), max_harm=1)
    mine, theirs = guarded([plan(), own], ("pending > 5", "ready < 5%"), 2)
    assert (mine.abort_when, mine.max_harm) == (("pending > 5", "ready < 5%"), 2)
    assert (theirs.abort_when, theirs.max_harm) == (("ready < 5%", "pending > 5"), 1)
    again = msgspec.json.decode(msgspec.json.encode(mine), type=Experiment)
    assert again == mine


def test_without_them_the_plan_is_as_it_was() -> None:
    """Nothing is added to a plan that nobody guards."""
    assert guarded([plan()], (), None) == (plan(),)
