"""From a board to what Rich draws: the run on one screen, readable without colour too."""

from __future__ import annotations

from collections.abc import Callable

from rich.console import Group, RenderableType
from rich.layout import Layout
from rich.panel import Panel
from rich.progress_bar import ProgressBar
from rich.table import Table
from rich.text import Text

from capsize.cli.live.board import Board, Strike
from capsize.core.events import PhaseChanged, Struck
from capsize.report.wording import count, percent

SPAN_MIN_S = 20.0
LABEL = 24
STRIKES_MAX = 6
INSTANCES_MAX = 8
SPARKS = "▁▂▃▄▅▆▇█"
STATES = {
    "ready": ("█", "green"),
    "starting": ("▒", "yellow"),
    "exited": ("╳", "bold red"),
    "stopped": ("·", "red"),
    "gave_up": ("!", "bold red"),
}
PHASES = {
    "steady": ("s", "white on blue"),
    "chaos": ("c", "white on red"),
    "recovery": ("r", "black on yellow"),
    "drain": ("d", "black on green"),
}
STAGES = {
    "landed": "bold magenta",
    "healing": "magenta",
    "healed": "green",
    "failed": "bold red",
    "heal_failed": "bold white on red",
}


def screen(board: Board, width: int, height: int) -> Layout:
    """Return the whole view for a terminal of this size."""
    lanes = _timeline(board, max(10, width - LABEL - 6))
    layout = Layout()
    layout.split_column(
        Layout(_head(board), name="head", size=2),
        Layout(
            Panel(lanes, title="timeline", title_align="left", border_style="dim"),
            name="timeline",
            size=_rows(board),
        ),
        Layout(name="below"),
        Layout(Text(" q  heals, stops and reports", style="reverse"), name="foot", size=1),
    )
    layout["below"].split_row(
        Layout(Panel(_figures(board), title="so far", title_align="left", border_style="dim"), size=48),
        Layout(
            Panel(
                _lines(board, max(3, height - _rows(board) - 5)),
                title="events",
                title_align="left",
                border_style="dim",
            )
        ),
    )
    return layout


def _rows(board: Board) -> int:
    strikes = min(STRIKES_MAX, max(1, len(board.carried_out)))
    return 2 + 1 + strikes + min(INSTANCES_MAX, max(1, len(board.instances))) + 4


def _head(board: Board) -> RenderableType:
    experiment, level = board.experiment, board.experiment.level
    scale = "" if level.time_scale == 1 else f" scaled by {level.time_scale:g}"
    title = Text.assemble(
        (f"[{board.number}/{board.total}] ", "dim"),
        (experiment.scenario, "bold"),
        f"  level {level.number} ({level.name}){scale}  seed {experiment.seed}",
    )
    planned = experiment.phase(board.progress.phase)
    if planned is None:
        return Group(title, Text(f"starting the system, {board.t:.1f} s", style="yellow"))
    _, style = PHASES[planned.name]
    row = Table.grid(padding=(0, 1))
    row.add_row(
        Text(f" {planned.name} ", style=style),
        ProgressBar(
            total=planned.limit_s, completed=min(planned.limit_s, board.progress.in_phase_s), width=30
        ),
        f"{board.progress.in_phase_s:.1f} s of at most {planned.limit_s:.0f} s",
    )
    return Group(title, row)


def _timeline(board: Board, columns: int) -> RenderableType:
    """Return the lanes, each a label and as many columns as there are; the whole run so far fits."""
    span = max(SPAN_MIN_S, board.t)
    step = span / columns
    table = Table.grid(padding=(0, 1))
    table.add_column(width=LABEL, no_wrap=True, overflow="ellipsis")
    table.add_column(width=columns, no_wrap=True)

    def lane(label: str, cell: Callable[[float, float], tuple[str, str]]) -> None:
        text = Text()
        for number in range(columns):
            begin = number * step
            text.append(*((" ", "") if begin > board.t else cell(begin, begin + step)))
        table.add_row(label, text)

    lane("phase", lambda begin, end: PHASES.get(board.phase_at(end), (" ", "")))
    strikes = board.carried_out[-STRIKES_MAX:]
    for one in strikes:
        lane(f"{one.id} {one.fault} {' '.join(one.victims)}", _strike_cell(one))
    if not strikes:
        table.add_row("no strike yet", "")
    for name in sorted(board.instances)[:INSTANCES_MAX]:
        lane(name, _instance_cell(board, name))
    if not board.instances:
        table.add_row("no instance yet", "")
    lane("ready", lambda begin, end: _rate(board.ready.between(begin, end)))
    lane("API success", lambda begin, end: _rate(board.api.between(begin, end)))
    most = max(board.queue.values(), default=0)
    lane(f"queue, at most {most}", lambda begin, end: _spark(board.deepest(begin, end), most))
    table.add_row("", Text(_axis(columns, span), style="dim"))
    return table


def _strike_cell(one: Strike) -> Callable[[float, float], tuple[str, str]]:
    def cell(begin: float, end: float) -> tuple[str, str]:
        inside = one.began < end and (one.ended is None or one.ended > begin)
        return ("█", "magenta" if one.ended is None else "dim magenta") if inside else (" ", "")

    return cell


def _instance_cell(board: Board, name: str) -> Callable[[float, float], tuple[str, str]]:
    def cell(begin: float, end: float) -> tuple[str, str]:
        # The worst within the column: a restart of a second must not vanish on a long run.
        found = [state for at, state in board.instances[name] if begin < at <= end]
        state = next(
            (one for one in ("gave_up", "exited", "stopped") if one in found), board.state(name, end)
        )
        sign, style = STATES.get(state, (" ", ""))
        return (sign, f"{style} on magenta") if state and board.struck(name, begin, end) else (sign, style)

    return cell


def _rate(ratio: float | None) -> tuple[str, str]:
    if ratio is None:
        return " ", ""
    sign = SPARKS[min(7, int(ratio * 7.999))]
    return sign, "green" if ratio >= 0.95 else "yellow" if ratio >= 0.7 else "red"


def _spark(depth: int | None, most: int) -> tuple[str, str]:
    if depth is None:
        return " ", ""
    return SPARKS[round(depth / most * 7) if most else 0], "cyan"


def _axis(columns: int, span: float) -> str:
    """Return the times under the lanes, a mark every so many columns."""
    text, every = "", 12
    for number in range(0, columns, every):
        text += f"{number * span / columns:.0f} s".ljust(min(every, columns - number))[: columns - number]
    return text


def _figures(board: Board) -> RenderableType:
    progress = board.progress
    accepted, done = len(progress.accepted), len(progress.done & progress.accepted)
    table = Table.grid(padding=(0, 1))
    table.add_column(style="dim", width=11)
    table.add_column()
    bar = ProgressBar(total=max(1, accepted), completed=done, width=20)
    table.add_row("tasks", Text(f"{done} of {accepted} done, {count(progress.retries, 'retry', 'retries')}"))
    table.add_row("", bar)
    ratio, now = progress.api_ratio, board.api.between(board.t - 5, board.t)
    said = "no call yet" if ratio is None else f"{percent(ratio)} good"
    table.add_row("API", said + ("" if now is None else f", {percent(now)} in 5 s"))
    p99 = board.p99_ms()
    table.add_row("latency", "" if p99 is None else f"p99 {p99:.0f} ms in the last 10 s")
    table.add_row("queue", "" if board.depth is None else count(board.depth, "task"))
    planned = len(board.experiment.strikes)
    table.add_row(
        "strikes",
        f"{progress.strikes['landed']} landed, {progress.strikes['healed']} healed, of {planned}",
    )
    table.add_row("", "")
    for name in sorted(board.instances)[:INSTANCES_MAX]:
        state = board.state(name, board.t)
        at_work = "at work" if name in board.inside else "idle" if name.startswith("worker") else ""
        sign, style = STATES.get(state, ("?", ""))
        word = state.replace("_", " ") + (f", {at_work}" if at_work and state == "ready" else "")
        table.add_row(name, Text(f"{sign} {word}", style=style))
    return table


def _lines(board: Board, most: int) -> RenderableType:
    text = Text(no_wrap=True, overflow="ellipsis")
    for t, line, event in list(board.lines)[-most:]:
        style = STAGES.get(event.stage, "") if isinstance(event, Struck) else ""
        style = "bold" if isinstance(event, PhaseChanged) else style
        text.append(f"{t:7.2f}  ", style="dim")
        text.append(line.partition("\n")[0] + "\n", style=style)
    return text
