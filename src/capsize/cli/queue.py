"""``capsize queue``: the report card of a task queue's library."""

from __future__ import annotations

import sys
from pathlib import Path
from typing import TYPE_CHECKING

import click

from capsize.cli.options import SEED_MAX, Finite, draw_seed, output_option, program, verbose_option, writable

if TYPE_CHECKING:
    from capsize.core.experiment import Experiment
    from capsize.core.levels import Level
    from capsize.report import Summary
    from capsize.report.queue_card import Card
    from capsize.systems.queue import Config, QueueService

REPEAT_MAX = 20


@click.command("queue", short_help="Find out what a task queue's library loses.")
@click.argument("name", required=False)
@click.option(
    "--level", "level_number", type=int, default=1, show_default=True, metavar="1-6", help="How hard."
)
@click.option(
    "--config",
    type=click.Choice(("default", "safe")),
    default="default",
    show_default=True,
    help="The library's first steps, or what it offers against lost work.",
)
@click.option(
    "--seed", type=click.IntRange(0, SEED_MAX), metavar="N", help="Makes the plan; drawn when not given."
)
@click.option(
    "--repeat", type=click.IntRange(1, REPEAT_MAX), default=1, show_default=True, help="So many seeds."
)
@click.option(
    "--breaks",
    type=click.Choice(("workers", "broker", "both")),
    default="both",
    show_default=True,
    help="What is killed.",
)
@click.option(
    "--wait",
    "wait_s",
    type=Finite(),
    metavar="S",
    help="How long a task may take to be run again, beside the work.",
)
@click.option("--python", default=sys.executable, metavar="PATH", help="The Python that has the library.")
@click.option(
    "--card", type=click.Path(dir_okay=False, path_type=Path), help="Write the card there, as JSON."
)
@click.option(
    "--page",
    type=click.Path(file_okay=False, exists=True, path_type=Path),
    metavar="FOLDER",
    help="Print the page over the cards in a folder; runs nothing.",
)
@output_option
@verbose_option
def queue_command(
    name: str | None,
    level_number: int,
    config: Config,
    seed: int | None,
    repeat: int,
    breaks: str,
    wait_s: float | None,
    python: str,
    card: Path | None,
    page: Path | None,
    output: Path,
    verbose: bool,
) -> int:
    """Run the workers of a task queue's library, break them, and print what became of the tasks.

    NAME is arq, celery, dramatiq, huey, pgqueuer, procrastinate, rq or taskiq. Redis or PostgreSQL is started
    for it. Exits 1 when a task was lost, stuck, or done twice.
    """
    from capsize.core.errors import UsageError

    if page is not None:
        click.echo(_page(page), nl=False)
        return 0
    if name is None:
        raise UsageError("which library? capsize queue celery, for example")
    from capsize.core.levels import level
    from capsize.systems.queue import QueueService, require

    if wait_s is not None and wait_s <= 0:
        raise UsageError(f"--wait is {wait_s:g}; a task needs some time to be run again")
    versions = require(name, python)
    system = QueueService(name, config, python=python)
    first = draw_seed() if seed is None else seed
    experiments = [
        plan
        for number in range(first, first + repeat)
        for plan in _plans(system, level(level_number), number, breaks, wait_s)
    ]

    def told(summary: Summary) -> str:
        from capsize.report.queue_card import text

        made = _card(system, level_number, versions, summary)
        if card is not None:
            _write(card, made)
        return text(made)

    from capsize.cli.invocation import Invocation, carry_out

    return carry_out(
        Invocation(
            experiments=tuple(experiments),
            system=system,
            platform="local",
            output=writable(output),
            verbose=verbose,
            command=f"{program()} queue {name} --config {config} --level {level_number} --seed {first} --repeat {repeat}",
            told=told,
        )
    )


def _plans(
    system: QueueService, figures: Level, seed: int, breaks: str, wait_s: float | None
) -> list[Experiment]:
    from capsize.scenarios.queue_loss import broker_dies, workers_die

    plans = [] if breaks == "broker" else [workers_die(figures, seed, wait_s)]
    return plans if breaks == "workers" else [*plans, broker_dies(figures, seed, system.broker, wait_s)]


def _card(system: QueueService, level: int, versions: dict[str, str], summary: Summary) -> Card:
    from capsize.report.queue_card import Card, losses
    from capsize.scenarios.queue_loss import BROKER, WORKERS
    from capsize.systems.queue import LIBRARIES

    library = LIBRARIES[system.library]
    results = [run.result for run in summary.runs]
    rows = {
        scenario: tuple(
            row for one in results if one.scenario == scenario and (row := losses(one)) is not None
        )
        for scenario in (WORKERS, BROKER)
    }
    return Card(
        library=system.library,
        title=library.title,
        config=system.config,
        settings=library.safe if system.config == "safe" else "as in the library's first steps",
        level=level,
        versions=versions,
        workers=rows[WORKERS],
        broker=rows[BROKER],
    )


def _write(path: Path, card: Card) -> None:
    from capsize.rundir import encode

    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_bytes(encode(card))


def _page(folder: Path) -> str:
    import msgspec

    from capsize.core.errors import UsageError
    from capsize.report.queue_card import Card, page

    try:
        cards = [msgspec.json.decode(file.read_bytes(), type=Card) for file in sorted(folder.glob("*.json"))]
    except (msgspec.DecodeError, OSError) as error:
        raise UsageError(f"{folder} holds a file that is no card: {error}") from error
    if not cards:
        raise UsageError(
            f"{folder} holds no card; make one with: capsize queue NAME --card {folder}/NAME.json"
        )
    return page(cards)
