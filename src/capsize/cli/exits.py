"""Exit codes, and how an error becomes one message and one code.

======  =========================================================================
0       every scenario that ran passed, or passed in part
1       a scenario failed
2       nothing was proved: a scenario is UNKNOWN, or none could run
64      the request makes no sense, and nothing was started; or a scenario of the
        user's own is broken, and the others ran without a failure
70      capsize itself broke
129     interrupted by SIGHUP; 130 by SIGINT; 143 by SIGTERM. A FAIL that was
        proved before wins with 1
======  =========================================================================
"""

from __future__ import annotations

import os
import sys
import tempfile
import time
import traceback
from pathlib import Path

PASSED = 0
FAILED = 1
UNKNOWN = 2
USAGE = 64
BROKE = 70
SIGNALLED = 128

_DEFECT = "This is a defect of capsize and says nothing about the service."


def complain(message: str, *, where: str = "capsize", hint: str = "") -> None:
    """Write an error for a person to stderr, with what to do on a line of its own."""
    sys.stderr.write(f"{where}: {message}\n" + (f"{hint}\n" if hint else ""))
    sys.stderr.flush()


def write_trace(error: BaseException, directory: Path | None) -> Path | None:
    """Write what broke capsize into ``crash.txt``; None when even that is not possible.

    Without a run directory the file goes to the system's directory for temporary files.
    """
    text = "".join(traceback.format_exception(error))
    stamp = f"capsize-crash-{time.strftime('%Y%m%dT%H%M%S')}-{os.getpid()}.txt"
    path = directory / "crash.txt" if directory else Path(tempfile.gettempdir()) / stamp
    try:
        path.write_text(text, encoding="utf-8")
    except OSError:
        return None
    return path


def broke(error: BaseException, directory: Path | None) -> str:
    """Return the message for a defect of capsize's own, and leave the trace in a file."""
    path = write_trace(error, directory)
    kept = f"\nThe run directory: {directory}" if directory else ""
    trace = f"\nThe trace: {path}" if path else ""
    return f"capsize itself broke: {type(error).__name__}: {error}\n{_DEFECT}{kept}{trace}"


def broke_in(what: str, directory: Path | None) -> str:
    """Return the message for a defect whose trace is in the run directory already, if there is one."""
    trace = directory / "crash.txt" if directory else None
    kept = f"\nThe run directory: {directory}" if directory else ""
    told = f"\nThe trace: {trace}" if trace and trace.is_file() else ""
    return f"capsize itself broke: {what}\n{_DEFECT}{kept}{told}"
