"""What a run looks like: lanes, rates, depths and lifelines as columns of numbers, small enough for a page."""

from __future__ import annotations

from capsize.report.charts.charts import Charts, charts

__all__ = ["Charts", "charts"]
