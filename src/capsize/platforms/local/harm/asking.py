"""Questions to a small process that is started in the same surroundings as an instance: what does it see?"""

from __future__ import annotations

import asyncio
import subprocess
import sys
from collections.abc import Mapping, Sequence
from pathlib import Path

from capsize.core.errors import InjectionError
from capsize.platforms.local.process import LAUNCH, passed_on
from capsize.platforms.local.waits import to_the_end

ANSWER_LIMIT_S = 20.0


async def ask(program: str, env: Mapping[str, str], binds: Sequence[tuple[Path, Path]] = ()) -> str:
    """Run a few lines of Python and return what they print. Raises InjectionError."""
    return await to_the_end(asyncio.to_thread(ask_now, program, env, binds))


def ask_now(program: str, env: Mapping[str, str], binds: Sequence[tuple[Path, Path]] = ()) -> str:
    """Do so and block meanwhile."""
    around = ":".join(str(file) for pair in binds for file in pair) or "-"
    launch = (sys.executable, "-I", "-S", str(LAUNCH), "-", "-", "-", "-", around)
    try:
        done = subprocess.run(
            (*launch, sys.executable, "-I", "-S", "-c", program),
            env=passed_on() | dict(env),
            stdin=subprocess.DEVNULL,
            capture_output=True,
            text=True,
            timeout=ANSWER_LIMIT_S,
            check=False,
        )
    except subprocess.TimeoutExpired:
        raise InjectionError(f"no answer from beside the instance within {ANSWER_LIMIT_S:g} s") from None
    if done.returncode != 0:
        last = done.stderr.strip().rpartition("\n")[2]
        raise InjectionError(
            f"it can't be seen from beside the instance: {last or f'code {done.returncode}'}"
        )
    return done.stdout.strip()
