"""``capsize run``: plan everything, check everything, and only then begin."""

from __future__ import annotations

import shlex
from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from capsize.cli.composing import compose_options
from capsize.cli.far import allow_remote_option, see_that_load_is_allowed
from capsize.cli.options import (
    REPEAT_MAX,
    SEED_MAX,
    Finite,
    Interval,
    JobsType,
    base_url_option,
    draw_seed,
    json_option,
    keep_option,
    options,
    output_option,
    platform_option,
    port_option,
    program,
    verbose_option,
    writable,
)
from capsize.cli.targets import checked, report_option

if TYPE_CHECKING:
    from capsize.core.system import System
    from capsize.systems.compose import ComposePlan

_level_options = options(
    click.option("--workers", type=int, help="Workers, instead of the level's number."),
    click.option("--tasks", type=int, help="Tasks, instead of the level's number."),
    click.option("--task-delay", type=Finite(), help="Seconds that a task takes."),
    click.option("--deadline", type=Finite(), help="Seconds in which all tasks must be done."),
    click.option("--chaos-interval", type=Interval(), help="Seconds between two strikes."),
    click.option(
        "--abort-when",
        multiple=True,
        metavar="CONDITION",
        help="Stop the chaos, heal and end the run when this holds: 'api_success < 10% for 30s'. May be repeated.",
    ),
    click.option(
        "--max-harm",
        type=click.IntRange(1),
        metavar="N",
        help="Let strikes have at most N instances in their hands at once; others wait.",
    ),
    click.option(
        "--time-scale",
        envvar="CAPSIZE_TIME_SCALE",
        show_envvar=True,
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
    help="Which scenarios, separated by commas: names, or files as in ./mine.py. Default: all those that are standard.",
)
@click.option(
    "--difficulty", type=int, default=1, show_default=True, metavar="1-6", help="The difficulty level."
)
@click.option(
    "--seed", type=click.IntRange(0, SEED_MAX), metavar="N", help="Makes the plan; drawn when not given."
)
@click.option(
    "--repeat",
    type=click.IntRange(1, REPEAT_MAX),
    default=1,
    show_default=True,
    metavar="N",
    help="Run each scenario with N seeds: the seed, the seed plus one, and so on.",
)
@click.option(
    "--jobs",
    type=JobsType(),
    default=1,
    show_default=True,
    help="So many runs at once, each with a stack of its own. auto: by the machine; what measures speed stays alone.",
)
@platform_option
@click.option(
    "--system",
    metavar="NAME|FILE",
    help="Which system is tested: starter, queue:celery, or a file. Default: capsize.toml, if there is one here, else starter.",
)
@compose_options
@_level_options
@options(
    output_option, verbose_option, json_option, keep_option, base_url_option, allow_remote_option, port_option
)
@click.option(
    "--live", is_flag=True, help="Show the run on the whole terminal, with a timeline; q heals and stops."
)
@click.option(
    "--otel",
    is_flag=True,
    help="Send each run's phases and strikes as OpenTelemetry spans, by OTLP over HTTP. Also on when"
    " OTEL_EXPORTER_OTLP_ENDPOINT is set.",
)
@report_option
def run_command(
    scenarios: tuple[str, ...],
    difficulty: int,
    seed: int | None,
    output: Path,
    **given: Any,
) -> int:
    """Run chaos scenarios against a system and judge what survived.

    With no option at all: every standard scenario at level 1, with a seed drawn at random.
    """
    from capsize.cli.composing import with_containers
    from capsize.cli.guardrails import guarded
    from capsize.cli.invocation import Invocation, carry_out
    from capsize.cli.parts import choose_system, system_here
    from capsize.cli.planning import plan
    from capsize.core.levels import level
    from capsize.scenarios.remote import for_system, without_control

    _see_that_jobs_fit(given)
    if given["otel"]:
        from capsize.cli.telemetry import switch_on

        switch_on()
    project = _project(given)
    given["system"] = given["system"] or system_here()
    system = choose_system(given["system"], given["port"])
    figures = level(difficulty, time_scale=given["time_scale"], **_overrides(system, difficulty, given))
    chosen_seed = draw_seed() if seed is None else seed
    plans = plan(scenarios, figures, chosen_seed, given["repeat"])
    experiments = tuple(for_system(experiment, system) for experiment in plans.experiments)
    if given["base_url"] is not None:
        see_that_load_is_allowed(given["base_url"], given["allow_remote_load"])
        experiments = tuple(without_control(experiment) for experiment in experiments)
    experiments = guarded(experiments, given["abort_when"], given["max_harm"])
    folder, reports = writable(output), checked(given["reports"])
    # The last of all: it may take a while, when images have to be made.
    if project is None:
        given["platform"] = _platform(given, system.name)
    else:
        system = with_containers(system, project, _say(given))
        given["platform"] = "docker"
    return carry_out(
        Invocation(
            experiments=experiments,
            invalid=plans.invalid,
            alone=plans.alone,
            jobs=given["jobs"],
            system=system,
            platform=given["platform"],
            output=folder,
            base_url=given["base_url"],
            keep=given["keep"],
            verbose=given["verbose"],
            live=given["live"],
            as_json=given["as_json"],
            reports=reports,
            command=command_line(scenarios, difficulty, chosen_seed, given),
        )
    )


def _platform(given: dict[str, Any], system: str) -> str:
    """Return the platform by its name; what stands behind a base URL needs none, and nothing is chosen for it."""
    from capsize.cli.auto import platform_named

    if given["base_url"] is not None and given["platform"] == "auto":
        return "local"
    return platform_named(given["platform"], system, _say(given))


def _project(given: dict[str, Any]) -> ComposePlan | None:
    """Return the compose project that was named, worked out before anything else is; None without one."""
    from capsize.cli.composing import planned, see_that_it_fits

    see_that_it_fits(given, given["system"])
    return None if given["compose"] is None else planned(given)


def _say(given: dict[str, Any]) -> Callable[[str], None]:
    """Return how a person is told something while stdout may belong to the JSON."""
    return lambda line: click.echo(line, err=given["as_json"])


def _see_that_jobs_fit(given: dict[str, Any]) -> None:
    """Raise UsageError for what runs side by side can't share."""
    from capsize.core.errors import UsageError

    if given["jobs"] == 1:
        return
    if given["live"]:
        raise UsageError("--live shows one run at a time; use --jobs 1")
    if given["base_url"] is not None:
        raise UsageError(
            "--jobs gives each run a stack of its own; with --base-url there is one. Use --jobs 1"
        )
    if given["port"]:
        raise UsageError(
            f"--jobs gives each run a stack of its own, and only one can have port {given['port']}. "
            "Leave --port (and PORT) away, or use --jobs 1"
        )


def _overrides(system: System, difficulty: int, given: dict[str, Any]) -> dict[str, Any]:
    """Return the level's fields that the system's owner replaces, and those that flags do."""
    from capsize.core.system import Fitting

    fields = {
        "workers": "workers",
        "tasks": "tasks",
        "task_delay": "task_delay_s",
        "deadline": "deadline_s",
        "chaos_interval": "interval_s",
    }
    own = system.figures(difficulty) if isinstance(system, Fitting) else {}
    return own | {field: given[flag] for flag, field in fields.items() if given[flag] is not None}


def command_line(scenarios: tuple[str, ...], difficulty: int, seed: int, given: dict[str, Any]) -> str:
    """Return the command that makes the same plans again, with every flag that shapes them."""
    words = [program(), "run"]
    if scenarios:
        words += ["--scenarios", ",".join(name.strip() for text in scenarios for name in text.split(","))]
    words += ["--difficulty", str(difficulty), "--seed", str(seed)]
    for flag, default in (
        # The one that was taken: auto might choose another one next time.
        ("platform", None if given["base_url"] is None else given["platform"]),
        ("repeat", 1),
        ("jobs", 1),
        ("system", "starter" if given["compose"] is None else None),
        ("compose", None),
        ("api_port", None),
        ("base_url", None),
        ("time_scale", 1.0),
        ("max_harm", None),
    ):
        if given[flag] != default:
            words += [f"--{flag.replace('_', '-')}", _word(given[flag])]
    if given["allow_remote_load"]:
        words.append("--allow-remote-load")
    for text in given["roles"]:
        words += ["--role", text]
    if given["yes"]:
        words.append("--yes")
    for text in given["abort_when"]:
        words += ["--abort-when", text]
    for flag in ("workers", "tasks", "task_delay", "deadline", "chaos_interval"):
        if given[flag] is not None:
            words += [f"--{flag.replace('_', '-')}", _word(given[flag])]
    return shlex.join(words)


def _word(value: Any) -> str:
    if isinstance(value, tuple):
        return "-".join(f"{end:g}" for end in value)
    return f"{value:g}" if isinstance(value, float) else str(value)
