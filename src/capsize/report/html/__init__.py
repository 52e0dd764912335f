"""Reports as single HTML files that need nothing else: no network, no server, no other file."""

from __future__ import annotations

from capsize.report.html.run_page import run
from capsize.report.html.suite_page import suite

__all__ = ["run", "suite"]
