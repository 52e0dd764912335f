"""``capsize run``: plan everything, check everything, and only then begin."""

from __future__ import annotations

import shlex
from collections.abc import Iterable
from pathlib import Path
from typing import Any

import click

from capsize.cli.options import (
    SEED_MAX,
    Finite,
    Interval,
    base_url_option,
    draw_seed,
    json_option,
    keep_option,
    options,
    output_option,
    port_option,
    program,
    verbose_option,
    writable,
)

_level_options = options(
    click.option("--workers", type=int, help="Workers, instead of the level's number."),
    click.option("--tasks", type=int, help="Tasks, instead of the level's number."),
    click.option("--task-delay", type=Finite(), help="Seconds that a task takes."),
    click.option("--deadline", type=Finite(), help="Seconds in which all tasks must be done."),
    click.option("--chaos-interval", type=Interval(), help="Seconds between two strikes."),
    click.option(
        "--time-scale",
        type=Finite(),
        default=1.0,
        show_default=True,
        help="Shrink every duration for a quick look; such a run never counts as its level.",
    ),
)


@click.command("run", short_help="Run chaos scenarios and judge them.")
@click.option(
    "--scenarios",
    multiple=True,
    metavar="A,B,...",
    help="Which scenarios, separated by commas. Default: all there are.",
)
@click.option(
    "--difficulty", type=int, default=1, show_default=True, metavar="1-6", help="The difficulty level."
)
@click.option(
    "--seed", type=click.IntRange(0, SEED_MAX), metavar="N", help="Makes the plan; drawn when not given."
)
@click.option("--platform", default="local", show_default=True, help="Where the system runs.")
@click.option("--system", default="starter", show_default=True, help="Which system is tested.")
@_level_options
@options(output_option, verbose_option, json_option, keep_option, base_url_option, port_option)
def run_command(
    scenarios: tuple[str, ...],
    difficulty: int,
    seed: int | None,
    output: Path,
    **given: Any,
) -> int:
    """Run chaos scenarios against a system and judge what survived.

    With no option at all: every scenario at level 1, with a seed drawn at random.
    """
    from capsize.cli.invocation import Invocation, carry_out
    from capsize.cli.parts import choose_platform, choose_system

    overrides = _overrides(given)
    chosen_seed = draw_seed() if seed is None else seed
    experiments = plan(scenarios, difficulty, chosen_seed, given["time_scale"], overrides)
    if given["base_url"] is not None:
        from capsize.scenarios.remote import without_control

        experiments = tuple(without_control(experiment) for experiment in experiments)
    return carry_out(
        Invocation(
            experiments=experiments,
            system=choose_system(given["system"], given["port"]),
            platform=choose_platform(given["platform"]),
            output=writable(output),
            base_url=given["base_url"],
            keep=given["keep"],
            verbose=given["verbose"],
            as_json=given["as_json"],
            command=command_line(scenarios, difficulty, chosen_seed, given),
        )
    )


def plan(
    scenarios: Iterable[str], difficulty: int, seed: int, time_scale: float, overrides: dict[str, Any]
) -> tuple[Any, ...]:
    """Return the experiments of the scenarios, all of them when none is named. Raises UsageError."""
    from capsize.core.errors import UsageError
    from capsize.core.levels import level
    from capsize.core.registry import unknown
    from capsize.scenarios import SCENARIOS

    figures = level(difficulty, time_scale=time_scale, **overrides)
    given = [name.strip() for text in scenarios for name in text.split(",")]
    if any(not name for name in given):
        raise UsageError(
            "--scenarios holds an empty name; separate names with one comma, as in baseline,db-failure"
        )
    names = list(dict.fromkeys(given)) or list(SCENARIOS)
    for name in names:
        if name not in SCENARIOS:
            raise UsageError(unknown("scenario", name, SCENARIOS))
    return tuple(SCENARIOS[name].plan(figures, seed) for name in names)


def _overrides(given: dict[str, Any]) -> dict[str, Any]:
    """Return the level's fields that flags replace."""
    fields = {
        "workers": "workers",
        "tasks": "tasks",
        "task_delay": "task_delay_s",
        "deadline": "deadline_s",
        "chaos_interval": "interval_s",
    }
    return {field: given[flag] for flag, field in fields.items() if given[flag] is not None}


def command_line(scenarios: tuple[str, ...], difficulty: int, seed: int, given: dict[str, Any]) -> str:
    """Return the command that makes the same plans again, with every flag that shapes them."""
    words = [program(), "run"]
    if scenarios:
        words += ["--scenarios", ",".join(name.strip() for text in scenarios for name in text.split(","))]
    words += ["--difficulty", str(difficulty), "--seed", str(seed)]
    for flag, default in (
        ("platform", "local"),
        ("system", "starter"),
        ("base_url", None),
        ("time_scale", 1.0),
    ):
        if given[flag] != default:
            words += [f"--{flag.replace('_', '-')}", _word(given[flag])]
    for flag in ("workers", "tasks", "task_delay", "deadline", "chaos_interval"):
        if given[flag] is not None:
            words += [f"--{flag.replace('_', '-')}", _word(given[flag])]
    return shlex.join(words)


def _word(value: Any) -> str:
    if isinstance(value, tuple):
        return "-".join(f"{end:g}" for end in value)
    return f"{value:g}" if isinstance(value, float) else str(value)
