"""What was broken is healed: the undo log, and the process that plays it when capsize dies."""

from capsize.guardian.log import OpenStrike, UndoLog, still_open
from capsize.guardian.unguarded import Unguarded

__all__ = ["OpenStrike", "UndoLog", "Unguarded", "still_open"]
