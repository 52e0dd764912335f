"""``python -m capsize``, the same as ``capsize``."""

from __future__ import annotations

from capsize.cli import main

if __name__ == "__main__":
    main()
