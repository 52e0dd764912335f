"""Commands, each bounded in time."""

from __future__ import annotations

import os
import shlex
import shutil
import subprocess
from collections.abc import Sequence

from capsize.core.errors import HealError
from capsize.core.undo import Run

LIMIT_S = 5.0
SYSTEM_PATH = "/usr/local/sbin:/usr/sbin:/sbin:/usr/local/bin:/usr/bin:/bin"
"""Where the tools of an administrator are, which the PATH of a person need not name."""


def run(step: Run) -> None:
    """Run the command unless nothing is left to undo."""
    if step.gone is not None and call(step.gone)[0] != 0:
        return
    code, said = call(step.argv, step.limit_s)
    if step.gone is not None and call(step.gone)[0] != 0:
        return
    if step.gone is not None or code not in step.ok:
        raise HealError(f"{shlex.join(step.argv)} ended with {code}: {said or 'it said nothing'}")


def call(argv: Sequence[str], limit_s: float = LIMIT_S) -> tuple[int, str]:
    """Run a program and return its exit code and the end of what it said. Raises HealError."""
    path = os.pathsep.join((os.environ.get("PATH", ""), SYSTEM_PATH))
    program = shutil.which(argv[0], path=path)
    if program is None:
        raise HealError(f"{argv[0]} is not installed any more; {shlex.join(argv)} could not be run")
    try:
        done = subprocess.run(
            [program, *argv[1:]],
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            timeout=limit_s,
            check=False,
            env=os.environ | {"PATH": path},
        )
    except subprocess.TimeoutExpired as error:
        raise HealError(f"{shlex.join(argv)} did not end within {limit_s:g} s") from error
    return done.returncode, done.stdout.decode(errors="replace").strip()[-500:]
