"""The starter with one planted defect: ``python defective.py DEFECT server|worker|migrate``.

Run as a file and not as a module, since the process is started from any directory.
"""

from __future__ import annotations

import sys
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parents[1]))

from quality.planted import DEFECTS

if __name__ == "__main__":
    from capsize_starter.cli import main

    DEFECTS[sys.argv[1]].plant()
    sys.exit(main(sys.argv[2:]))
