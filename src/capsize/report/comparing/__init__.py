"""What changed between two runs or two folders of runs, how sure that is, and whether it is too much."""

from __future__ import annotations

from capsize.report.comparing.compare import Comparison, Side, compare
from capsize.report.comparing.thresholds import Threshold, judge_thresholds, parse_threshold

__all__ = ["Comparison", "Side", "Threshold", "compare", "judge_thresholds", "parse_threshold"]
