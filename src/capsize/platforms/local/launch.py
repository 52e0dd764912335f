"""Becomes the process of an instance: run as a script, between capsize and the instance's own program.

    launch.py PARENT UID GID JOINS BINDS PROGRAM ARGUMENT...

It asks the kernel for SIGKILL when capsize dies (PARENT ``-``: it outlives capsize), gives up root when told
to (UID ``-`` keeps the user), and then becomes the program. JOINS are files of control groups, separated by
colons, into which it writes itself; BINDS are pairs of a file of ours and one of the machine's, separated
alike, which it puts in that one's place in a mount namespace of its own (``-``: none). A hook between fork and exec could do the same, but runs Python code in the child
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


CLONE_NEWNS = 0x00020000
MS_BIND, MS_REC, MS_PRIVATE = 4096, 16384, 1 << 18
UNFIT = 126


def main(parent: str, uid: str, gid: str, joins: str, binds: str, program: str, *arguments: str) -> None:
    """Become the program. Does not return; exits with 127 when it can't be run, 126 when its surroundings can't be made."""
    # Loaded first: the other user may be unable to read this Python's library.
    prctl = _prctl()
    try:
        _join(joins)
        _bind(binds)
    except OSError as error:
        print(f"{program} can't be run as it should: {error}", file=sys.stderr)
        sys.exit(UNFIT)
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


def _join(files: str) -> None:
    """Enter control groups."""
    for file in files.split(":") if files != "-" else ():
        with open(file, "w") as procs:
            procs.write(str(os.getpid()))


def _bind(pairs: str) -> None:
    """Have files of ours in the place of others, seen by this process and its children alone."""
    if pairs == "-":
        return
    import ctypes

    libc = ctypes.CDLL(None, use_errno=True)

    def check(done: int, what: str) -> None:
        if done != 0:
            number = ctypes.get_errno()
            raise OSError(number, f"{what}: {os.strerror(number)}")

    names = [os.fsencode(name) for name in pairs.split(":")]
    check(libc.unshare(CLONE_NEWNS), "no mount namespace")
    check(libc.mount(b"none", b"/", None, MS_REC | MS_PRIVATE, None), "mounts can't be kept private")
    for ours, theirs in zip(names[::2], names[1::2], strict=True):
        check(libc.mount(ours, theirs, None, MS_BIND, None), f"mount on {os.fsdecode(theirs)}")


def _prctl() -> Callable[..., int] | None:
    if not sys.platform.startswith("linux"):
        return None
    import ctypes

    function: Callable[..., int] = ctypes.CDLL(None).prctl
    return function


if __name__ == "__main__":
    main(*sys.argv[1:])
