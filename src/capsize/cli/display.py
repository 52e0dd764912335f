"""Live progress: what a person sees while a run is under way."""

from __future__ import annotations

import os
import time
from contextlib import suppress
from pathlib import Path
from typing import TYPE_CHECKING, Any, Protocol, TextIO

from capsize.core.events import Event, PhaseChanged, Struck
from capsize.core.experiment import Experiment
from capsize.report.progress import Progress
from capsize.report.wording import count, describe, percent

if TYPE_CHECKING:
    from rich.live import Live as RichLive
    from rich.table import Table

REDRAW_S = 0.25
PLAIN_EVERY_S = 5.0


class Display(Protocol):
    """Is told of everything and shows what fits its reader. Never raises."""

    def begin(self, experiment: Experiment, directory: Path, number: int, total: int) -> None:
        """A scenario is about to be carried out."""
        ...

    def observe(self, event: Event) -> None:
        """Something happened in the run."""
        ...

    def say(self, message: str) -> None:
        """Tell the person something that is no event."""
        ...

    def end(self, line: str) -> None:
        """The scenario is over and judged; ``line`` says how it came out."""
        ...


def choose(stream: TextIO, *, verbose: bool, live: bool = False) -> Display:
    """Return the live display for a terminal, with ``live`` one over all of it, and plain lines for everything else."""
    dumb = os.environ.get("TERM", "") in ("", "dumb") or (bool(os.environ.get("CI")) and not live)
    if dumb or not stream.isatty():
        shown: Display = Plain(stream, verbose)
    elif live:
        from capsize.cli.live import Screen

        shown = Screen(stream, verbose)
    else:
        shown = Live(stream, verbose)
    return Guarded(shown)


def heading(experiment: Experiment, number: int, total: int) -> str:
    """Return the line that a scenario begins with."""
    level = experiment.level
    scale = "" if level.time_scale == 1 else f", scaled by {level.time_scale:g}"
    strikes = count(len(experiment.strikes), "strike")
    return (
        f"[{number}/{total}] {experiment.scenario}: level {level.number} ({level.name}){scale}, "
        f"seed {experiment.seed}, {strikes} planned"
    )


def figures(progress: Progress) -> str:
    """Return the tasks, retries and API success so far as one short text."""
    parts = [f"tasks {len(progress.done & progress.accepted)}/{len(progress.accepted)} done"]
    parts.append(count(progress.retries, "retry", "retries"))
    if progress.api_ratio is not None:
        parts.append(f"API {percent(progress.api_ratio)}")
    parts.append(f"{count(progress.strikes['landed'], 'strike')} landed")
    return ", ".join(parts)


class Guarded:
    """A display whose failure (a closed pipe, a full disk) silences it and leaves the run alone."""

    def __init__(self, shown: Display) -> None:
        self._shown: Display | None = shown

    def begin(self, experiment: Experiment, directory: Path, number: int, total: int) -> None:
        """Pass it on."""
        self._try("begin", experiment, directory, number, total)

    def observe(self, event: Event) -> None:
        """Pass it on."""
        self._try("observe", event)

    def say(self, message: str) -> None:
        """Pass it on."""
        self._try("say", message)

    def end(self, line: str) -> None:
        """Pass it on."""
        self._try("end", line)

    def _try(self, method: str, *args: Any) -> None:
        if self._shown is None:
            return
        try:
            getattr(self._shown, method)(*args)
        except Exception:
            shown, self._shown = self._shown, None
            # What took the terminal gives it back.
            with suppress(Exception):
                shown.end("")


class Plain:
    """One line per event that matters, for logs and CI; a line of figures now and then."""

    def __init__(self, stream: TextIO, verbose: bool) -> None:
        self._stream, self._verbose = stream, verbose
        self._progress = Progress()
        self._last_figures = 0.0

    def begin(self, experiment: Experiment, directory: Path, number: int, total: int) -> None:
        """Write the heading and where the run is kept."""
        self._progress = Progress()
        self._last_figures = 0.0
        self.say(heading(experiment, number, total))
        self.say(f"    run directory: {directory}")

    def observe(self, event: Event) -> None:
        """Write a line when the event is worth one, and the figures every few seconds."""
        self._progress.observe(event)
        line = describe(event, verbose=self._verbose)
        if line is not None:
            self.say(f"{event.t:9.2f}  {line}")
        elif event.t - self._last_figures >= PLAIN_EVERY_S and self._progress.phase:
            self._last_figures = event.t
            self.say(f"{event.t:9.2f}  {figures(self._progress)}")

    def say(self, message: str) -> None:
        """Write a line at once."""
        self._stream.write(message + "\n")
        self._stream.flush()

    def end(self, line: str) -> None:
        """Write the last figures and the verdict."""
        self.say(f"{self._progress.t:9.2f}  {figures(self._progress)}")
        self.say(line.strip())
        self.say("")


class Live:
    """A few lines at the foot of the terminal that keep up with the run; strikes scroll by above them.

    Drawn from the events themselves at most four times a second: a thread of its own would disturb the
    measurements of the run.
    """

    def __init__(self, stream: TextIO, verbose: bool) -> None:
        from rich.console import Console

        self._console = Console(file=stream, highlight=False)
        self._verbose = verbose
        self._live: RichLive | None = None
        self._progress = Progress()
        self._experiment: Experiment | None = None
        self._drawn = 0.0

    def begin(self, experiment: Experiment, directory: Path, number: int, total: int) -> None:
        """Write the heading and open the live lines."""
        from rich.live import Live as RichLive

        self._experiment, self._progress = experiment, Progress()
        self._console.print(heading(experiment, number, total), style="bold", markup=False)
        if self._verbose:
            self._console.print(f"    run directory: {directory}", markup=False)
        self._live = RichLive(self._view(), console=self._console, auto_refresh=False, transient=True)
        self._live.start()

    def observe(self, event: Event) -> None:
        """Print what matters above the live lines, and redraw these when it is time."""
        self._progress.observe(event)
        line = describe(event, verbose=self._verbose)
        if line is not None:
            from rich.text import Text

            self._console.print(Text(f"{event.t:9.2f}  {line}", style=_style(event)))
        now = time.monotonic()
        if self._live is not None and (now - self._drawn >= REDRAW_S or isinstance(event, PhaseChanged)):
            self._drawn = now
            self._live.update(self._view(), refresh=True)

    def say(self, message: str) -> None:
        """Print a line above the live ones."""
        self._console.print(message, markup=False)

    def end(self, line: str) -> None:
        """Take the live lines away and print the verdict."""
        if self._live is not None:
            self._live.stop()
            self._live = None
        self._console.print(f"{self._progress.t:9.2f}  {figures(self._progress)}", markup=False)
        self._console.print(line.strip(), markup=False)
        self._console.print()

    def _view(self) -> Table:
        from rich.table import Table

        table = Table.grid(padding=(0, 2))
        table.add_row("phase", self._phase())
        table.add_row("so far", figures(self._progress))
        return table

    def _phase(self) -> str:
        progress = self._progress
        if not progress.phase:
            return f"starting the system ({progress.t:.1f} s)"
        planned = self._experiment.phase(progress.phase) if self._experiment else None
        limit = f" of at most {planned.limit_s:.0f} s" if planned else ""
        return f"{progress.phase}, {progress.in_phase_s:.1f} s{limit}"


def _style(event: Event) -> str:
    if isinstance(event, Struck):
        return {"landed": "yellow", "healed": "green"}.get(
            event.stage, "red" if "fail" in event.stage else ""
        )
    return "dim" if isinstance(event, PhaseChanged) else ""
