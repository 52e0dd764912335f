"""The live view: a run on the whole terminal, drawn from its own events."""

from __future__ import annotations

from capsize.cli.live.screen import Screen

__all__ = ["Screen"]
