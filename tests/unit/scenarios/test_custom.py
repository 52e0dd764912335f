"""Scenarios of the user's: what is taken, and what each way of being broken is told as."""

from __future__ import annotations

import importlib.metadata
from collections.abc import Callable
from pathlib import Path

import pytest

from capsize.core.errors import UsageError
from capsize.core.experiment import Experiment, LoadPlan, Phase, Spec
from capsize.core.levels import level
from capsize.rundir import encode
from capsize.scenario import Scenario, api, claim, experiment, strike, tasks
from capsize.scenarios import SCENARIOS, custom
from capsize.scenarios.custom import BrokenScenario, find, planned

GOOD = '''
"""A scenario."""
from capsize.scenario import api, claim, experiment, strike, tasks

def plan(level, seed):
    """Kill one worker."""
    return experiment(
        level, seed, loads=[api(), tasks(4, seconds=0.5)], strikes=[strike("kill", "worker", at_s=0.2)]
    )
'''

Write = Callable[[str], Path]


@pytest.fixture
def write(tmp_path: Path) -> Write:
    """Return a function that writes a scenario file."""

    def written(text: str, name: str = "my_own.py") -> Path:
        path = tmp_path / name
        path.write_text(text)
        return path

    return written


def test_a_function_is_enough(write: Write) -> None:
    """Name from the file, purpose from the docstring; the plan has the usual claims and is the same each time."""
    scenario = find(str(write(GOOD)))
    assert (scenario.name, scenario.purpose, scenario.alone) == ("my-own", "Kill one worker.", False)
    plan = planned(scenario, level(1), 3)
    assert (plan.scenario, plan.purpose, plan.seed) == ("my-own", "Kill one worker.", 3)
    assert [one.id for one in plan.strikes] == ["s1"]
    assert {"lost", "duplicate", "steady"} <= {one.name for one in plan.checkers}
    assert encode(plan) == encode(planned(scenario, level(1), 3))


def test_a_file_may_declare_types_of_its_own(write: Write) -> None:
    """Dataclasses look their module up by its name; no bytecode is left beside the file."""
    path = write(
        "from __future__ import annotations\nfrom dataclasses import dataclass\n"
        "@dataclass\nclass Knob:\n    turns: int = 3\n" + GOOD
    )
    assert planned(find(str(path)), level(1), 1).strikes
    assert [one.name for one in path.parent.iterdir()] == ["my_own.py"]


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("def plan(:\n", "line 1)"),
        ("import nonexistent_module\n", "No module named 'nonexistent_module'"),
        ("raise SystemExit(3)\n", "raised SystemExit: 3"),
        ("x = 1\n", "neither SCENARIO = Scenario(...) nor a function plan"),
        ("SCENARIO = 7\n", "SCENARIO is a int"),
        ("def plan(level, seed):\n    return 1 / 0\n", "its plan raised ZeroDivisionError: division by zero"),
        ("def plan(level):\n    return None\n", "takes 1 positional argument but 2 were given"),
        ("def plan(level, seed):\n    return {}\n", "returned a dict"),
        (GOOD.replace('"kill"', '"kil"'), "did you mean 'kill'"),
        (GOOD.replace("seconds=0.5", "seconds=0.5, colour=1"), "colour"),
        (GOOD.replace("at_s=0.2", 'at_s=0.2, for_s="long"'), "for_s"),
        (GOOD + "\nfrom capsize.scenario import Scenario\nSCENARIO = Scenario(name='baseline', purpose='', plan=plan)", "capsize's own"),
    ],
)  # fmt: skip
def test_what_is_broken_says_where(write: Write, text: str, said: str) -> None:
    """Each way of being broken is a BrokenScenario with one line that tells what is wrong."""
    with pytest.raises(BrokenScenario) as broken:
        planned(find(str(write(text))), level(1), 1)
    assert said in str(broken.value)
    assert "\n" not in str(broken.value)


def test_an_error_in_a_plan_names_its_line(write: Write) -> None:
    """File and line of the author's own code, not of capsize's."""
    path = write("def plan(level, seed):\n    return 1 / 0\n")
    with pytest.raises(BrokenScenario, match=r"my_own\.py, line 2\)"):
        planned(find(str(path)), level(1), 1)


def _experiment(**changes: object) -> Scenario:
    def plan(level: object, seed: int) -> Experiment:
        fields: dict[str, object] = {
            "scenario": "x",
            "purpose": "",
            "level": level,
            "seed": seed,
            "replicas": {},
            "phases": (Phase(name="steady", limit_s=1.0), Phase(name="drain", limit_s=1.0)),
            "checkers": (Spec(name="ended"),),
        }
        return Experiment(**(fields | changes))  # type: ignore[arg-type]

    return Scenario(name="x", purpose="", plan=plan)


@pytest.mark.parametrize(
    ("changes", "said"),
    [
        ({"phases": ()}, "no phases"),
        ({"loads": (LoadPlan(load=Spec(name="api"), phases=("chaos",)),)}, "the phases are steady, drain"),
        ({"loads": (LoadPlan(load=Spec(name="api"), phases=()),)}, "no phase"),
        ({"strikes": (strike("kill", "api", at_s=1.0),)}, "no phase 'chaos'"),
        ({"checkers": ()}, "claims nothing"),
    ],
)
def test_what_would_silently_do_nothing_is_refused(changes: dict[str, object], said: str) -> None:
    """A load in a phase that is not there, strikes without chaos, no claim at all: no run, no false PASS."""
    with pytest.raises(BrokenScenario, match=said):
        planned(_experiment(**changes), level(1), 1)
    assert planned(_experiment(), level(1), 1).scenario == "x"


def test_what_is_not_there_is_a_mistake_of_the_command_line(tmp_path: Path) -> None:
    """A missing file and an unknown name are usage errors, not broken scenarios."""
    with pytest.raises(UsageError, match="can't be read"):
        find(str(tmp_path / "nope.py"))
    with pytest.raises(UsageError, match="did you mean 'baseline'"):
        find("basline")


def test_packages_offer_scenarios_by_entry_point(monkeypatch: pytest.MonkeyPatch, write: Write) -> None:
    """They are found by the entry point's name; capsize's own names can't be taken; a broken one says so."""
    entries = [
        importlib.metadata.EntryPoint(name, value, custom.GROUP)
        for name, value in (
            ("theirs", "support.theirs:SCENARIO"),
            ("baseline", "support.theirs:SCENARIO"),
            ("broken", "support.nowhere:SCENARIO"),
        )
    ]
    monkeypatch.setattr(custom, "entry_points", lambda group: entries)
    assert sorted(custom.installed()) == ["broken", "theirs"]
    found = find("theirs")
    assert (found.name, planned(found, level(1), 1).scenario) == ("theirs", "theirs")
    assert find("baseline") is SCENARIOS["baseline"]
    with pytest.raises(BrokenScenario, match="nowhere"):
        find("broken")


def test_the_helpers_make_what_their_names_say() -> None:
    """The chaos lasts as told, loads run in their phases, arguments reach fault and claim."""
    made = experiment(
        level(1),
        1,
        loads=[api(rate=5.0), tasks(3, seconds=1.0, label="x")],
        strikes=[strike("stop", "postgres", at_s=1.0, for_s=2.0, hard=True), strike("kill", "api", at_s=2.0)],
        claims=[claim("landed", live=True)],
        chaos_s=9.0,
    )
    assert made.phase("chaos") == Phase(name="chaos", limit_s=9.0)
    assert [one.phases[0] for one in made.loads] == ["steady", "chaos"]
    assert made.strikes[0].fault == Spec(name="stop", args={"hard": True})
    assert [one.id for one in made.strikes] == ["s1", "s2"]
    assert made.checkers[-1] == Spec(name="landed", args={"live": True})
