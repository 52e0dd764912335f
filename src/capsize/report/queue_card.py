"""A task queue's report card: what became of its tasks, in a few lines; from the runs' own figures."""

from __future__ import annotations

from collections.abc import Iterable

import msgspec

from capsize.core.verdict import ScenarioResult
from capsize.report.wording import count, seconds

DEATHS = ("lost", "stuck", "duplicate", "overlap")


class Losses(msgspec.Struct, frozen=True, kw_only=True):
    """What one kind of death did to the tasks of one run; counts of tasks, times in seconds.

    ``redelivery_max_s`` None: no task of a dead worker was run again.
    """

    seed: int
    verdict: str
    accepted: int
    strikes: int
    lost: int
    stuck: int
    duplicate: int
    overlap: int
    redelivered: int = 0
    redelivery_p50_s: float | None = None
    redelivery_max_s: float | None = None


class Card(msgspec.Struct, frozen=True, kw_only=True):
    """One library with one configuration at one level: its versions, its settings, and a row for each run.

    ``workers`` are the runs in which workers were killed, ``broker`` those in which the broker was.
    """

    library: str
    title: str
    config: str
    settings: str
    level: int
    versions: dict[str, str]
    workers: tuple[Losses, ...] = ()
    broker: tuple[Losses, ...] = ()


def losses(result: ScenarioResult) -> Losses | None:
    """Return the figures of one run; None when it was not judged."""
    judgement = result.judgement
    if judgement is None:
        return None

    def figure(checker: str, name: str) -> int:
        return int(judgement.measure(checker, name, 0) or 0)

    return Losses(
        seed=result.seed,
        verdict=judgement.verdict.name,
        accepted=figure("lost", "accepted"),
        strikes=figure("landed", "landed"),
        lost=figure("lost", "lost"),
        # Also what no worker began: a broker may hold what it gave to a dead worker, begun or not.
        stuck=figure("lost", "kept"),
        duplicate=figure("duplicate", "duplicates"),
        overlap=figure("overlap", "overlaps"),
        redelivered=figure("stuck", "redeliveries"),
        redelivery_p50_s=judgement.measure("stuck", "redelivery_p50_s"),
        redelivery_max_s=judgement.measure("stuck", "redelivery_max_s"),
    )


def text(card: Card) -> str:
    """Return the card for a terminal."""
    lines = [f" {card.title}, {card.config} settings, level {card.level}", "=" * 48]
    lines.append(f"  Versions: {', '.join(f'{name} {version}' for name, version in card.versions.items())}")
    lines.append(f"  Settings: {card.settings}")
    for title, rows in (("Workers killed", card.workers), ("Broker killed", card.broker)):
        lines.append(f"  {title}:")
        lines += [f"    seed {row.seed}: {told(row)}" for row in rows] or ["    not run"]
    return "\n".join(lines) + "\n\n"


def told(row: Losses) -> str:
    """Return one run in words."""
    harm = [f"{getattr(row, name)} {name}" for name in DEATHS if getattr(row, name)]
    again = ""
    if row.redelivered and row.redelivery_max_s is not None:
        again = f"; {count(row.redelivered, 'task was', 'tasks were')} run again within {seconds(row.redelivery_max_s)}"
    doubt = ", and the run proves nothing for certain (UNKNOWN)" if row.verdict == "UNKNOWN" else ""
    found = ", ".join(harm) if harm else "none lost, none twice, none stuck"
    return f"{row.accepted} accepted, {count(row.strikes, 'strike')}: {found}{again}{doubt}"


def page(cards: Iterable[Card]) -> str:
    """Return the Markdown page over all cards: one table for each kind of death, and the settings."""
    known = sorted(cards, key=lambda card: (card.library, card.config != "default", card.level))
    lines = _heading()
    lines += ["## Workers killed", ""]
    lines += _table(
        (
            "library",
            "settings",
            "runs",
            "accepted",
            "killed",
            "lost",
            "stuck",
            "duplicate",
            "overlap",
            "run again after",
        ),
        [(*_sums(card, card.workers), _again(card.workers)) for card in known if card.workers],
    )
    lines += ["", "## Broker killed and started again", ""]
    lines += _table(
        ("library", "settings", "runs", "accepted", "killed", "lost", "stuck", "duplicate", "overlap"),
        [_sums(card, card.broker) for card in known if card.broker],
    )
    lines += ["", "## Which setting keeps which promise", ""]
    for card in known:
        if card.config == "safe":
            lines.append(f"- **{card.title}**: {card.settings}.")
    lines += ["", "## Versions", ""]
    seen = {card.title: card.versions for card in known}
    lines += [
        f"- {title}: {', '.join(f'{n} {v}' for n, v in versions.items())}" for title, versions in seen.items()
    ]
    return "\n".join(lines) + "\n"


def _heading() -> list[str]:
    return [
        "# Task queues when a worker dies",
        "",
        "<!-- Made by `capsize queue --page docs/queues`; a test compares. Do not edit. -->",
        "",
        "Each row is measured: `capsize queue NAME` ran the library's own workers, killed busy ones with SIGKILL, or the",
        "broker, and a witness counted what was done. `default` is what the library's first steps give; `safe` is",
        "what it offers against lost work, listed below. *Lost*: accepted, and nobody knows it any more. *Stuck*: still",
        "held, and not run again within the time that the run waited (75 s after the last strike and the work).",
        "",
    ]


def _sums(card: Card, rows: tuple[Losses, ...]) -> tuple[str, ...]:
    totals = [sum(getattr(row, name) for row in rows) for name in ("accepted", "strikes", *DEATHS)]
    return (card.title, card.config, str(len(rows)), *(str(total) for total in totals))


def _again(rows: tuple[Losses, ...]) -> str:
    times = [row.redelivery_max_s for row in rows if row.redelivery_max_s is not None]
    return f"{seconds(min(times))} to {seconds(max(times))}" if times else "never"


def _table(header: tuple[str, ...], rows: list[tuple[str, ...]]) -> list[str]:
    lines = [header, tuple("---" for _ in header), *rows]
    return ["| " + " | ".join(line) + " |" for line in lines]
