"""The installed command, as a person or a script calls it."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path

import pytest

from support.literal_runs import write_run

LIMIT_S = 60.0
CAPSIZE = Path(sys.executable).with_name("capsize")


def capsize(*argv: str, cwd: Path | None = None, **env: str) -> subprocess.CompletedProcess[str]:
    """Run the command with none of its variables set but those given."""
    clean = {
        name: value
        for name, value in os.environ.items()
        if name not in ("PORT", "BASE_URL", "OUTPUT_DIR", "VERBOSE")
    }
    return subprocess.run(
        [CAPSIZE, *argv],
        capture_output=True,
        text=True,
        timeout=LIMIT_S,
        cwd=cwd,
        env=clean | env,
        check=False,
    )


@pytest.mark.parametrize(
    "command", ["", "run", "list", "judge", "report", "replay", "up", "down", "status", "strike"]
)
def test_every_command_has_help(command: str) -> None:
    """--help answers on stdout and exits 0, for the whole and for each command."""
    ran = capsize(*command.split(), "--help")
    assert ran.returncode == 0
    assert ran.stdout.startswith("Usage: capsize")
    assert ran.stderr == ""


def test_the_version_is_that_of_the_package() -> None:
    """`capsize --version` names the version that pip installed."""
    from importlib.metadata import version

    assert capsize("--version").stdout == f"capsize {version('capsize')}\n"


@pytest.mark.parametrize("argv", [["--help"], ["run", "--help"], ["run", "--no-such-flag"]])
def test_help_and_usage_errors_load_nothing_heavy(argv: list[str]) -> None:
    """Neither the runner nor a checker, a platform, asyncio or rich is imported to answer them."""
    program = (
        "import sys\n"
        "from capsize.cli.app import entry\n"
        f"entry({argv!r})\n"
        "heavy = ('asyncio', 'rich', 'asyncpg', 'uvloop', 'psutil', 'capsize.runner', 'capsize.platforms',"
        " 'capsize.checkers', 'capsize.report', 'capsize.scenarios')\n"
        "sys.stderr.write('LOADED ' + ' '.join(name for name in heavy if name in sys.modules))\n"
    )
    ran = subprocess.run(
        [sys.executable, "-c", program], capture_output=True, text=True, timeout=LIMIT_S, check=True
    )
    assert ran.stderr.splitlines()[-1] == "LOADED "


@pytest.mark.parametrize(
    "argv",
    [
        ["run", "--difficulty", "7"],
        ["run", "--scenarios", "nonsense"],
        ["run", "--time-scale", "0"],
        ["run", "--chaos-interval", "9"],
        ["run", "--output", "/proc/nowhere"],
        ["frobnicate"],
    ],
)
def test_bad_requests_exit_64_and_leave_nothing(argv: list[str], tmp_path: Path) -> None:
    """One message on stderr, nothing on stdout, and no file is made."""
    ran = capsize(*argv, cwd=tmp_path)
    assert ran.returncode == 64
    assert ran.stderr.startswith("capsize")
    assert ran.stdout == ""
    assert list(tmp_path.iterdir()) == []


def test_a_run_that_was_cut_off_is_reported_and_judged_unknown(tmp_path: Path) -> None:
    """With the real checkers: the story up to the cut, and a verdict that claims nothing."""
    directory = write_run(tmp_path, whole=False, torn=True)
    told = capsize("report", str(directory.path))
    assert told.returncode == 0
    assert "worker-restart: UNKNOWN" in told.stdout
    assert "in phase chaos (cut off)" in told.stdout
    assert "strike s1: kill worker-1: landed" in told.stdout
    judged = capsize("judge", str(directory.path), "--json")
    assert judged.returncode == 2
    assert json.loads(judged.stdout)["ended"] == "cut off"


def test_judging_twice_gives_the_same_verdict(tmp_path: Path) -> None:
    """Checkers are pure: the same history gives the same verdict.json, byte for byte."""
    directory = write_run(tmp_path)
    capsize("judge", str(directory.path))
    first = (directory.path / "verdict.json").read_bytes()
    capsize("judge", str(directory.path))
    assert (directory.path / "verdict.json").read_bytes() == first


def test_a_reader_that_goes_away_gets_no_traceback() -> None:
    """`capsize list faults --json | head -c 1` ends quietly."""
    ran = subprocess.run(
        ["bash", "-c", f"'{CAPSIZE}' list faults --json | head -c 1"],
        capture_output=True,
        text=True,
        timeout=LIMIT_S,
        check=False,
    )
    assert "Traceback" not in ran.stderr
    assert "Error" not in ran.stderr


def test_commands_to_repeat_are_given_as_they_can_be_typed(tmp_path: Path) -> None:
    """Without capsize on PATH, as after `test-chaos.sh`, the replay command has its path."""
    directory = write_run(tmp_path)
    run = ("report", str(directory.path))
    assert f"Replay: {CAPSIZE} replay" in capsize(*run, cwd=tmp_path, PATH="/usr/bin:/bin").stdout
    on_path = capsize(*run, cwd=tmp_path, PATH=f"{CAPSIZE.parent}:/usr/bin:/bin")
    assert "Replay: capsize replay" in on_path.stdout
