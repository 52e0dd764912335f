"""What a look at the machine brings."""

from __future__ import annotations

from typing import Literal

import msgspec

State = Literal["ok", "limited", "missing"]


class Finding(msgspec.Struct, frozen=True, kw_only=True):
    """One thing that was looked at.

    ``needed``: without it nothing runs on processes of this machine. ``limited`` works with less; ``then`` says what will not
    work, ``fix`` what to do.
    """

    name: str
    state: State
    found: str
    then: str = ""
    fix: str = ""
    needed: bool = False


def fine(name: str, found: str, *, needed: bool = False) -> Finding:
    """Return that something is as it should be."""
    return Finding(name=name, state="ok", found=found, needed=needed)
