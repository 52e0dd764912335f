"""Scenarios that are not capsize's own: a file of the user's, or a package's entry point ``capsize.scenarios``.

Whatever such code does wrong is told as a :class:`BrokenScenario`, so that it harms no other scenario.
"""

from __future__ import annotations

import sys
import traceback
import types
from collections.abc import Callable
from importlib.metadata import EntryPoint, entry_points
from pathlib import Path
from typing import Any

import msgspec

from capsize.core.errors import CapsizeError, UsageError
from capsize.core.experiment import Experiment
from capsize.core.levels import Level
from capsize.core.registry import unknown
from capsize.runner.parts import Parts
from capsize.scenarios import SCENARIOS, Scenario

GROUP = "capsize.scenarios"
_MODULE = "capsize_custom_scenario"


class BrokenScenario(CapsizeError):
    """A scenario that is not capsize's own can't be loaded, or its plan is none; nothing of it was begun."""


def is_file(name: str) -> bool:
    """Return whether a name on the command line means a file."""
    return name.endswith(".py") or "/" in name


def installed() -> dict[str, EntryPoint]:
    """Return the scenarios of installed packages by name, not loaded yet; capsize's own names can't be taken."""
    return {entry.name: entry for entry in entry_points(group=GROUP) if entry.name not in SCENARIOS}


def find(name: str) -> Scenario:
    """Return the scenario of a name, or that of a file. Raises UsageError when there is none.

    Raises BrokenScenario when it is there and can't be loaded.
    """
    if is_file(name):
        return _from_file(Path(name))
    if name in SCENARIOS:
        return SCENARIOS[name]
    packages = installed()
    if name not in packages:
        raise UsageError(unknown("scenario", name, [*SCENARIOS, *packages]))
    entry = packages[name]
    found = _guarded(entry.load, f"the entry point {entry.value}")
    return msgspec.structs.replace(_scenario(found, name, f"the entry point {entry.value}"), name=name)


def planned(scenario: Scenario, level: Level, seed: int) -> Experiment:
    """Work a scenario out, and see that every part of it exists. Raises BrokenScenario.

    Only what is not capsize's own is looked at that closely: of its own plans a test proves it.
    """
    if SCENARIOS.get(scenario.name) is scenario:
        return scenario.plan(level, seed)
    made = _guarded(lambda: scenario.plan(level, seed), "its plan")
    if not isinstance(made, Experiment):
        raise BrokenScenario(f"its plan returned a {type(made).__name__}, and no Experiment")
    experiment = msgspec.structs.replace(
        made,
        scenario=scenario.name,
        purpose=made.purpose or scenario.purpose,
        level=level,
        seed=seed,
    )
    try:
        # Through the file's form: what can't be written can't be replayed, and a wrong type shows here.
        experiment = msgspec.convert(msgspec.to_builtins(experiment), Experiment)
        Parts.of(experiment)
    except (UsageError, TypeError, msgspec.ValidationError) as error:
        raise BrokenScenario(str(error)) from error
    _see_that_it_fits(experiment)
    return experiment


def _from_file(path: Path) -> Scenario:
    try:
        source = path.read_bytes()
    except OSError as error:
        raise UsageError(f"the scenario {path} can't be read: {error.strerror or error}") from error
    module = types.ModuleType(f"{_MODULE}_{path.stem}")
    module.__file__ = str(path)
    # Types that are declared in the file look their module up by name.
    sys.modules[module.__name__] = module
    _guarded(lambda: exec(compile(source, str(path), "exec"), vars(module)), str(path))
    found = getattr(module, "SCENARIO", None) or getattr(module, "plan", None)
    if found is None:
        raise BrokenScenario("it defines neither SCENARIO = Scenario(...) nor a function plan(level, seed)")
    scenario = _scenario(found, path.stem.replace("_", "-"), "SCENARIO")
    if scenario.name in SCENARIOS:
        raise BrokenScenario(f"its name {scenario.name!r} is that of a scenario of capsize's own")
    return scenario


def _scenario(found: Any, name: str, what: str) -> Scenario:
    if isinstance(found, Scenario):
        return found
    if not callable(found):
        raise BrokenScenario(f"{what} is a {type(found).__name__}, and neither a Scenario nor a plan")
    purpose = (found.__doc__ or "").strip().partition("\n")[0]
    return Scenario(name=name, purpose=purpose, plan=found)


def _guarded(call: Callable[[], Any], what: str) -> Any:
    """Call foreign code; what it raises becomes one line with the place in its source."""
    try:
        return call()
    except KeyboardInterrupt:
        raise
    except SyntaxError as error:
        raise BrokenScenario(f"{error.msg} ({error.filename}, line {error.lineno})") from error
    except BaseException as error:
        last = traceback.extract_tb(error.__traceback__)[-1]
        where = f"{last.filename}, line {last.lineno}"
        raise BrokenScenario(f"{what} raised {type(error).__name__}: {error} ({where})") from error


def _see_that_it_fits(experiment: Experiment) -> None:
    """Raise BrokenScenario for what would run and silently do nothing."""
    names = [phase.name for phase in experiment.phases]
    ids = [strike.id for strike in experiment.strikes]
    if not names:
        raise BrokenScenario("it has no phases")
    for load in experiment.loads:
        if not load.phases or not set(load.phases) <= set(names):
            raise BrokenScenario(
                f"the load {load.load.name!r} runs in {', '.join(load.phases) or 'no phase'}; "
                f"the phases are {', '.join(names)}"
            )
    if len(set(ids)) < len(ids):
        raise BrokenScenario("two of its strikes have the same id")
    if ids and "chaos" not in names:
        raise BrokenScenario("it has strikes and no phase 'chaos', to which strikes belong")
    if not experiment.checkers:
        raise BrokenScenario("it claims nothing, so that it could prove nothing")
