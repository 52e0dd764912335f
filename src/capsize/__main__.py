"""``python -m capsize``, the same as ``capsize``."""

from __future__ import annotations

import sys

from capsize.cli import main

if __name__ == "__main__":
    sys.exit(main())
