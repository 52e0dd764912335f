"""The scripts: they parse, they fail clearly, and they share one way to make an environment."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]
SCRIPTS = sorted([*ROOT.glob("scripts/**/*.sh"), ROOT / ".ci" / "run"])
LIMIT_S = 60.0


def bash(
    script: str, cwd: Path = ROOT, python: str | None = None, **env: str
) -> subprocess.CompletedProcess[str]:
    """Run a few lines of bash."""
    changed = dict(os.environ) | env | ({"PYTHON": python} if python else {})
    return subprocess.run(
        ["bash", "-c", script],
        cwd=cwd,
        env=changed,
        capture_output=True,
        text=True,
        timeout=LIMIT_S,
        check=False,
    )


@pytest.mark.parametrize("script", SCRIPTS, ids=lambda path: path.name)
def test_scripts_parse_and_can_be_called(script: Path) -> None:
    """bash finds no error, and what is meant to be called is executable."""
    assert bash(f"bash -n '{script}'").returncode == 0
    assert script.parent.name == "lib" or os.access(script, os.X_OK)


def test_without_a_fitting_python_the_message_says_what_to_do(tmp_path: Path) -> None:
    """No Python 3.11: one clear message, exit code 64, and nothing is left behind."""
    ran = bash(
        f". '{ROOT}/scripts/lib/venv.sh'; ensure_venv starter",
        python="no-such-python",
        CAPSIZE_VENV=str(tmp_path / "venv"),
    )
    assert ran.returncode == 64
    assert "No Python 3.11 or newer was found (tried no-such-python)" in ran.stderr
    assert "PYTHON=/path/to/python" in ran.stderr
    assert list(tmp_path.iterdir()) == []


def test_a_folder_that_is_no_environment_is_left_alone(tmp_path: Path) -> None:
    """CAPSIZE_VENV that names a folder of one's own by mistake does not cost that folder."""
    (tmp_path / "precious").write_text("")
    ran = bash(f". '{ROOT}/scripts/lib/venv.sh'; ensure_venv starter", CAPSIZE_VENV=str(tmp_path))
    assert ran.returncode == 64
    assert "is no virtual environment" in ran.stderr
    assert (tmp_path / "precious").exists()


def _environment(tmp_path: Path) -> Path:
    """Return a stand-in for an environment: this Python, and an installation that only counts its calls."""
    venv = tmp_path / "venv"
    (venv / "bin").mkdir(parents=True)
    (venv / "pyvenv.cfg").write_text("")
    python = venv / "bin" / "python"
    python.write_text(
        f'#!/bin/sh\ncase "$*" in *"pip install"*) echo "$*" >> "{tmp_path}/installs"; sleep 0.3;;'
        f' *) exec {sys.executable} "$@";; esac\n'
    )
    python.chmod(0o755)
    return venv


def test_two_scripts_at_once_install_once(tmp_path: Path) -> None:
    """The second waits for the first and finds the work done; no lock is left."""
    venv = _environment(tmp_path)
    one = f"( . '{ROOT}/scripts/lib/venv.sh'; ensure_venv starter )"
    ran = bash(f"{one} & first=$!; {one} & second=$!; wait $first && wait $second", CAPSIZE_VENV=str(venv))
    assert ran.returncode == 0, ran.stderr
    installs = (tmp_path / "installs").read_text().splitlines()
    assert len(installs) == 1
    assert "-c constraints.txt -e .[starter]" in installs[0]
    assert not venv.with_name("venv.lock").exists()


def test_an_environment_that_is_up_to_date_is_left_alone(tmp_path: Path) -> None:
    """A second call for the same or for less installs nothing and says nothing; more, or another stamp, installs."""
    venv = _environment(tmp_path)
    call = f". '{ROOT}/scripts/lib/venv.sh'; ensure_venv "
    for extras in ("starter", "starter", "starter,docker,test", "starter,docker"):
        ran = bash(call + extras, CAPSIZE_VENV=str(venv))
        assert ran.returncode == 0, ran.stderr
    assert len((tmp_path / "installs").read_text().splitlines()) == 2
    for stamp in venv.glob(".capsize-starter*"):
        stamp.write_text("another pyproject.toml\n")
    assert "Installing" in bash(call + "starter", CAPSIZE_VENV=str(venv)).stderr
    assert bash(call + "starter", CAPSIZE_VENV=str(venv)).stderr == ""


def test_a_lock_of_a_dead_script_is_taken_over(tmp_path: Path) -> None:
    """A script that was killed does not block the next one for ever."""
    venv = _environment(tmp_path)
    dead = subprocess.Popen(["true"])
    dead.wait()
    lock = venv.with_name("venv.lock")
    lock.mkdir()
    (lock / "pid").write_text(f"{dead.pid}\n")
    ran = bash(f". '{ROOT}/scripts/lib/venv.sh'; ensure_venv starter", CAPSIZE_VENV=str(venv))
    assert ran.returncode == 0, ran.stderr
    assert not lock.exists()
