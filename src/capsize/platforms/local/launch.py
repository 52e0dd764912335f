"""Becomes the process of an instance: run as a script, between capsize and the instance's own program.

    launch.py PARENT UID GID PROGRAM ARGUMENT...

It asks the kernel for SIGKILL when capsize dies (PARENT ``-``: it outlives capsize), gives up root when told
to (UID ``-`` keeps the user), and then becomes the program. A hook between fork and exec could do the same, but runs Python code in the child
of a process that may have threads. It costs about 10 ms per start.
"""

from __future__ import annotations

import os
import signal
import sys

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable

PR_SET_PDEATHSIG = 1


def main(parent: str, uid: str, gid: str, program: str, *arguments: str) -> None:
    """Become the program. Does not return; exits with 127 when it can't be run."""
    # Loaded first: the other user may be unable to read this Python's library.
    prctl = _prctl()
    if uid != "-":
        os.setgroups([])
        os.setgid(int(gid))
        os.setuid(int(uid))
    if prctl is not None and parent != "-":
        # After the change of user, which makes the kernel forget the wish.
        prctl(PR_SET_PDEATHSIG, int(signal.SIGKILL), 0, 0, 0)
        if os.getppid() != int(parent):
            # Capsize died before the wish was heard.
            os.kill(os.getpid(), signal.SIGKILL)
    try:
        os.execvp(program, [program, *arguments])
    except OSError as error:
        print(f"{program} can't be run: {error.strerror}", file=sys.stderr)
        sys.exit(127)


def _prctl() -> Callable[..., int] | None:
    if not sys.platform.startswith("linux"):
        return None
    import ctypes

    function: Callable[..., int] = ctypes.CDLL(None).prctl
    return function


if __name__ == "__main__":
    main(*sys.argv[1:])
