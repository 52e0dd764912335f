"""Sets the soft limit of a running process, as the user whose process it is: run as a script.

    prlimit.py UID GID PID STARTED RESOURCE SOFT

Without CAP_SYS_RESOURCE not even root may change the limits of another user's process, but that user may.
STARTED is the process's start in clock ticks since boot (field 22 of its ``stat``): a later process with the
same number is left alone, and one that is gone is fine. UID ``-`` stays who we are.
"""

from __future__ import annotations

import os
import resource
import sys
from contextlib import suppress
from pathlib import Path


def started(pid: int) -> str | None:
    """Return when a process was started, in clock ticks since boot; None when it is gone."""
    with suppress(OSError, IndexError):
        # The name, in brackets, may hold anything.
        return Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[19]
    return None


def main(uid: str, gid: str, pid: str, since: str, which: str, soft: str) -> int:
    """Set it and see that it is set."""
    number, wanted = int(which), int(soft)
    if started(int(pid)) != since:
        return 0
    if uid != "-":
        os.setgroups([])
        os.setresgid(int(gid), int(gid), int(gid))
        os.setresuid(int(uid), int(uid), int(uid))
    try:
        _, hard = resource.prlimit(int(pid), number)
        resource.prlimit(int(pid), number, (wanted, hard))
        return 0 if resource.prlimit(int(pid), number)[0] == wanted else 1
    except ProcessLookupError:
        return 0
    except (OSError, ValueError) as error:
        print(f"the limit of process {pid} could not be set: {error}", file=sys.stderr)
        return 1


if __name__ == "__main__":
    sys.exit(main(*sys.argv[1:]))
