"""From names and seeds to experiments: everything is planned, and its mistakes found, before anything begins."""

from __future__ import annotations

from collections.abc import Iterable

import msgspec

from capsize.cli.options import SEED_MAX
from capsize.core.errors import UsageError
from capsize.core.experiment import Experiment
from capsize.core.levels import Level
from capsize.core.verdict import ScenarioResult, Verdict
from capsize.scenarios import SCENARIOS, STANDARD, Scenario


class Plans(msgspec.Struct, frozen=True, kw_only=True):
    """The experiments in the order asked for, scenario by scenario and in each seed by seed.

    ``invalid`` are scenarios of the user's that are broken themselves; ``alone`` names those that ``--jobs
    auto`` keeps from running beside others.
    """

    experiments: tuple[Experiment, ...]
    invalid: tuple[ScenarioResult, ...] = ()
    alone: frozenset[str] = frozenset()


def plan(scenarios: Iterable[str], level: Level, seed: int, repeat: int = 1) -> Plans:
    """Plan the scenarios, the standard ones when none is named, each with the seeds ``seed``, ``seed + 1`` ...

    Raises UsageError for what the command line got wrong: a name or a file that does not exist. A scenario
    whose own code is broken harms only itself, unless nothing else was asked for: then that is a UsageError too.
    """
    if seed + repeat - 1 > SEED_MAX:
        raise UsageError(f"--seed {seed} with --repeat {repeat} goes beyond the largest seed, {SEED_MAX}")
    experiments: list[Experiment] = []
    invalid: list[ScenarioResult] = []
    alone: set[str] = set()
    taken: dict[str, str] = {}
    for name in names(scenarios):
        made = _planned(name, level, seed, repeat, taken)
        if isinstance(made, ScenarioResult):
            invalid.append(made)
            continue
        scenario, planned = made
        experiments += planned
        if scenario.alone:
            alone.add(scenario.name)
    if not experiments:
        raise UsageError("\n".join(f"{broken.scenario}: {broken.reason}" for broken in invalid))
    return Plans(experiments=tuple(experiments), invalid=tuple(invalid), alone=frozenset(alone))


def names(given: Iterable[str]) -> list[str]:
    """Return the names that were asked for, each once; the standard ones when none was. Raises UsageError."""
    parts = [name.strip() for text in given for name in text.split(",")]
    if any(not name for name in parts):
        raise UsageError(
            "--scenarios holds an empty name; separate names with one comma, as in baseline,db-failure"
        )
    return list(dict.fromkeys(parts)) or list(STANDARD)


def _planned(
    name: str, level: Level, seed: int, repeat: int, taken: dict[str, str]
) -> tuple[Scenario, list[Experiment]] | ScenarioResult:
    """Plan one scenario for every seed, or tell why it can't be."""
    if name in SCENARIOS:
        # Without the rest of this function, which loads the runner.
        scenario = SCENARIOS[name]
        return scenario, [scenario.plan(level, seed + number) for number in range(repeat)]
    from capsize.scenarios.custom import BrokenScenario, find, planned

    try:
        scenario = find(name)
        if (other := taken.setdefault(scenario.name, name)) != name:
            raise BrokenScenario(f"its name {scenario.name!r} is that of {other} as well")
        return scenario, [planned(scenario, level, seed + number) for number in range(repeat)]
    except BrokenScenario as error:
        return ScenarioResult(
            scenario=name,
            level=level.number,
            seed=seed,
            verdict=Verdict.UNKNOWN,
            duration_s=0.0,
            skipped=True,
            invalid=True,
            reason=str(error),
            time_scale=level.time_scale,
        )
