"""Reports: results to text, pure, in one module per form; ``files`` alone writes."""

from __future__ import annotations

from capsize.report.model import RunReport, Summary, assemble
from capsize.report.progress import Progress

__all__ = ["Progress", "RunReport", "Summary", "assemble"]
