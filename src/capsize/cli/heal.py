"""``capsize heal``: undo what a capsize that died left behind, and its guardian did not live to undo."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING

import click

from capsize.cli.exits import FAILED

if TYPE_CHECKING:
    from capsize.guardian.log import Healed


@click.command("heal", short_help="Undo what a capsize that died left behind.")
@click.argument("run", required=False, type=click.Path(path_type=Path))
@click.option(
    "--all", "everything", is_flag=True, help="Everything that this user's capsizes left, of any run."
)
def heal_command(run: Path | None, everything: bool) -> int:
    """Undo what RUN left on this machine, or with --all what any run or stack left. May be repeated.

    Normally there is nothing to do: a guardian heals within two seconds when capsize dies. This is for when that
    was killed too, or the machine was started anew. Exits 0 when nothing is left, 1 when something is.
    """
    from capsize.core.errors import UsageError

    if everything == (run is not None):
        raise UsageError("give a run directory, or --all")
    return _heal_one(run) if run is not None else _heal_all()


def _heal_one(run: Path) -> int:
    from capsize.core.errors import UsageError
    from capsize.guardian.log import Book
    from capsize.guardian.playing import guarded_by, heal_log
    from capsize.rundir import RunDirectory

    path = RunDirectory.open(run).undo_path
    owner = guarded_by(path)
    if owner is not None:
        raise UsageError(
            f"{run} is still going on (process {owner.pid}), and heals by itself. Interrupt it instead"
        )
    stranger = _elsewhere(path)
    if stranger:
        click.echo(stranger)
        return FAILED
    healed = heal_log(path)
    _tell(str(run), healed)
    if not Book.read(path).open:
        _forget(path)
    return _code(healed)


def _heal_all() -> int:
    from capsize.cli.parts import end_left_behind
    from capsize.core.errors import CapsizeError
    from capsize.guardian.playing import guarded_by, heal_log
    from capsize.guardian.registry import registered, unregister

    codes = [0]
    for note, entry in registered():
        log = Path(entry.log)
        if entry.owner.here and entry.owner.lives():
            click.echo(f"{log.parent}: still going on (process {entry.owner.pid}), left alone")
            continue
        if not log.is_file():
            click.echo(f"{log.parent}: its undo log is gone; what it may have left is not known")
            unregister(note)
            codes.append(FAILED)
            continue
        if guarded_by(log) is not None:
            # A later one writes there, and has healed what this one left.
            unregister(note)
            continue
        stranger = _elsewhere(log)
        if stranger:
            click.echo(stranger)
            codes.append(FAILED)
            continue
        healed = heal_log(log)
        _tell(str(log.parent), healed)
        codes.append(_code(healed))
        if not _code(healed):
            unregister(note)
    try:
        for place in end_left_behind():
            click.echo(f"{place}: a stack without an owner, ended")
    except CapsizeError as error:
        click.echo(f"LEFT: {error}")
        codes.append(FAILED)
    if not max(codes):
        click.echo("Nothing is left.")
    return max(codes)


def _elsewhere(log: Path) -> str:
    """Return why a log can't be played from here, nothing when it can."""
    from capsize.guardian.log import Book

    book = Book.read(log)
    if not book.open or book.owner is None or book.owner.here or book.owner.rebooted:
        return ""
    return f"{log.parent}: LEFT, it was written in another container of this machine; heal it from there"


def _forget(log: Path) -> None:
    from capsize.guardian.registry import registered, unregister

    for note, entry in registered():
        if Path(entry.log) == log.absolute():
            unregister(note)


def _tell(where: str, healed: Sequence[Healed]) -> None:
    if not healed:
        click.echo(f"{where}: nothing to heal")
    for one in healed:
        for left in one.left:
            click.echo(f"{where}: LEFT: {left}")
        if not one.left:
            click.echo(f"{where}: healed: {'; '.join(one.steps)}")


def _code(healed: Sequence[Healed]) -> int:
    return FAILED if any(one.left for one in healed) else 0
