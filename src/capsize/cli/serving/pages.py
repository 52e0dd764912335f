"""The pages of ``capsize serve``: the index, a run that goes on, and the picture in it."""

from __future__ import annotations

import base64
import hashlib
import time
from collections.abc import Iterable
from functools import cache
from typing import Any

import msgspec
from jinja2 import Environment, PackageLoader, StrictUndefined
from markupsafe import Markup

from capsize.cli.live.board import Board
from capsize.cli.serving.shelf import Entry, Tail
from capsize.report.wording import count, percent

COLUMNS = 160
SPAN_MIN_S = 20.0
LINES_MAX = 14

SCRIPT = """\
const view = document.getElementById("view");
const news = new EventSource(view.dataset.news);
news.onmessage = (message) => { view.innerHTML = JSON.parse(message.data); };
news.addEventListener("over", () => { news.close(); location.assign(view.dataset.report); });
"""


class Lane(msgspec.Struct, frozen=True):
    """One row of the picture: its label, and bars as (first column, columns, height from 0 to 1, class)."""

    label: str
    bars: tuple[tuple[int, int, float, str], ...]


def policy(script: str = "") -> str:
    """Return what a page may do: no request but to here, no script but its own."""
    digest = base64.b64encode(hashlib.sha256(script.encode()).digest()).decode()
    allowed = f"'sha256-{digest}'" if script else "'none'"
    return (
        f"default-src 'none'; style-src 'unsafe-inline'; connect-src 'self'; script-src {allowed}; "
        "base-uri 'none'; form-action 'none'; frame-ancestors 'none'"
    )


def index(entries: Iterable[Entry], root: str) -> str:
    """Return the page of all runs."""
    return _render("index.html.j2", entries=list(entries), root=root, when=_when)


def live(tail: Tail, name: str) -> str:
    """Return the page of a run that goes on; without scripts it loads itself anew."""
    return _render("live.html.j2", name=name, view=Markup(view(tail)), script=Markup(SCRIPT))


def view(tail: Tail) -> str:
    """Return the part of that page which changes."""
    board = tail.board
    progress = board.progress
    ratio = progress.api_ratio
    p99 = board.p99_ms()
    figures = [
        ("phase", f"{progress.phase or 'starting'}, {progress.in_phase_s:.0f} s"),
        ("tasks", f"{len(progress.done & progress.accepted)} of {len(progress.accepted)} done"),
        ("retries", str(progress.retries)),
        ("API", "no call yet" if ratio is None else f"{percent(ratio)} good"),
        ("p99 of 10 s", "" if p99 is None else f"{p99:.0f} ms"),
        ("queue", "" if board.depth is None else count(board.depth, "task")),
        ("strikes", f"{progress.strikes['landed']} landed, {progress.strikes['healed']} healed"),
        ("workers at work", ", ".join(sorted(board.inside)) or "none"),
    ]
    lines = [(t, text) for t, text, _ in list(board.lines)[-LINES_MAX:]]
    plan = board.experiment
    return _render(
        "view.html.j2",
        plan=plan,
        figures=figures,
        lanes=lanes(board),
        columns=COLUMNS,
        span=max(SPAN_MIN_S, board.t),
        lines=lines,
        t=board.t,
    )


def lanes(board: Board) -> list[Lane]:
    """Return the rows of the picture, the whole run so far in as many columns as there are."""
    step = max(SPAN_MIN_S, board.t) / COLUMNS
    edges = [(n * step, (n + 1) * step) for n in range(COLUMNS) if n * step <= board.t]
    most = max(board.queue.values(), default=0) or 1
    rows = [Lane("phase", _bars((1.0, board.phase_at(end)) for _, end in edges))]
    for one in board.carried_out[-8:]:
        inside = ((one.began < end and (one.ended is None or one.ended > begin)) for begin, end in edges)
        label = f"{one.id} {one.fault} {' '.join(one.victims)}"
        rows.append(Lane(label, _bars((1.0, "struck" if here else "") for here in inside)))
    for name in sorted(board.instances):
        rows.append(Lane(name, _bars((1.0, board.state(name, end)) for _, end in edges)))
    for label, rates in (("ready", board.ready), ("API success", board.api)):
        rows.append(Lane(label, _bars(_rate(rates.between(begin, end)) for begin, end in edges)))
    depths = (board.deepest(begin, end) for begin, end in edges)
    rows.append(
        Lane(
            f"queue, at most {max(board.queue.values(), default=0)}",
            _bars(((d or 0) / most, "queue" if d else "") for d in depths),
        )
    )
    return rows


def _rate(ratio: float | None) -> tuple[float, str]:
    if ratio is None:
        return 0.0, ""
    return max(0.08, ratio), "good" if ratio >= 0.95 else "fair" if ratio >= 0.7 else "bad"


def _bars(cells: Iterable[tuple[float, str]]) -> tuple[tuple[int, int, float, str], ...]:
    """Put neighbouring cells that look the same into one bar; what has no class is left out."""
    bars: list[tuple[int, int, float, str]] = []
    for column, (height, kind) in enumerate(cells):
        if bars and bars[-1][2:] == (height, kind):
            first, length, *_ = bars[-1]
            bars[-1] = (first, length + 1, height, kind)
        else:
            bars.append((column, 1, height, kind))
    return tuple(bar for bar in bars if bar[3])


def _when(began: float) -> str:
    return time.strftime("%Y-%m-%d %H:%M:%S", time.localtime(began))


def _render(template: str, **values: Any) -> str:
    return _environment().get_template(template).render(**values)


@cache
def _environment() -> Environment:
    return Environment(
        loader=PackageLoader("capsize.cli.serving"),
        autoescape=True,
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
    )
