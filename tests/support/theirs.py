"""A scenario as a package would offer it."""

from __future__ import annotations

from capsize.scenario import Experiment, Level, Scenario, api, experiment, strike


def plan(level: Level, seed: int) -> Experiment:
    """Kill the API once."""
    return experiment(level, seed, loads=[api()], strikes=[strike("kill", "api", at_s=0.5)], chaos_s=2.0)


SCENARIO = Scenario(name="another-name", purpose="Theirs", plan=plan)
