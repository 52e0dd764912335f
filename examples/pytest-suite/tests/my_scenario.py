"""The API freezes while tasks are submitted: whoever tried again has one task, not two."""

from capsize.scenario import Experiment, Level, api, claim, experiment, fraction, stream, strike, tasks


def plan(level: Level, seed: int) -> Experiment:
    """The API freezes while tasks are submitted: whoever tried again has one task, not two."""
    return experiment(
        level,
        seed,
        loads=[tasks(8, seconds=0.1, rate=4.0, timeout_s=0.3), api(rate=30.0)],
        strikes=[
            strike("pause", "api", at_s=0.3 + 0.5 * fraction(stream(seed, "freeze")), for_s=level.scaled(1.5))
        ],
        claims=[claim("landed", min=1), claim("completion", deadline_s=level.deadline_s)],
    )
