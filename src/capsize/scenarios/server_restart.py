"""server-restart: the API is killed under load, and must be back by itself in seconds."""

from __future__ import annotations

from capsize.core.experiment import Experiment, PlannedStrike, Target
from capsize.core.hypothesis import Hypothesis
from capsize.core.levels import Level
from capsize.core.seed import fraction, stream
from capsize.scenarios import outages
from capsize.scenarios.building import Scenario, common_claims, spec

PURPOSE = "The API is killed under load and comes back by itself, with its state"


def plan(level: Level, seed: int) -> Experiment:
    """Kill the API, by the seed now and then with SIGTERM, and let it recover before the next strike."""
    draw = stream(seed, "server-restart", "faults")
    moments = outages.times(level, seed, "server-restart", lambda interval: interval)
    strikes = tuple(
        PlannedStrike(
            id=f"s{number}",
            at_s=at_s,
            # The first is always the hard one; a restart by SIGTERM is the milder case.
            fault=spec("kill" if number == 1 or draw.random() < 0.75 else "terminate"),
            target=Target(service="api", pick=fraction(draw), wait_s=5.0),
        )
        for number, at_s in enumerate(moments[:-1], start=1)
    )
    return outages.experiment(
        level,
        seed,
        moments,
        name="server-restart",
        purpose=PURPOSE,
        strikes=strikes,
        claims=(
            *common_claims(level),
            spec("flapping"),
            spec("landed"),
            spec("restarted", service="api"),
            spec("recovery", service="api"),
        ),
        # What is killed is the API: its process, its answers and their speed are what must be normal.
        hypothesis=Hypothesis(instances={"api": 1}, api_success_min=0.99),
    )


SCENARIO = Scenario(name="server-restart", purpose=PURPOSE, plan=plan)
