"""The command line: parse, run, report, exit. Heavy parts are imported only by the command that needs them."""

from __future__ import annotations

import sys
from collections.abc import Sequence


def main(argv: Sequence[str] | None = None) -> None:
    """Run the command line and exit the process with its code."""
    from capsize.cli.app import entry

    sys.exit(entry(sys.argv[1:] if argv is None else list(argv)))


__all__ = ["main"]
