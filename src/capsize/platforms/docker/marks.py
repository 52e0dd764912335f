"""The names and labels of everything that a run makes on an engine, by which it is told from all else there."""

from __future__ import annotations

import os
import secrets

import msgspec

from capsize.guardian.owner import Owner

RUN, INSTANCE, SERVICE, OWNER = "capsize.run", "capsize.instance", "capsize.service", "capsize.owner"


class Marks(msgspec.Struct, frozen=True):
    """One run's word, drawn anew for each: runs side by side on one engine never meet."""

    run: str
    owner: str

    @classmethod
    def draw(cls, *, outlives: bool = False) -> Marks:
        """Return the marks of a run of this process; nobody owns what ``outlives`` it."""
        owner = "" if outlives else msgspec.json.encode(Owner.of(os.getpid())).decode()
        return cls(secrets.token_hex(4), owner)

    @property
    def label(self) -> str:
        """Return the label that all of the run bears, and nothing else, as ``key=value``."""
        return f"{RUN}={self.run}"

    @property
    def labels(self) -> dict[str, str]:
        """Return the labels of what belongs to the run as a whole."""
        return {RUN: self.run, OWNER: self.owner}

    def of(self, instance: str, service: str) -> dict[str, str]:
        """Return the labels of one instance's container."""
        return {**self.labels, INSTANCE: instance, SERVICE: service}

    def name(self, what: str = "") -> str:
        """Return the name of a container or volume, or that of the network."""
        return f"capsize-{self.run}" + (f"-{what}" if what else "")


def is_stale(labels: dict[str, str]) -> bool:
    """Tell whether the process that made something is surely dead, by its labels.

    What was made in another container or on another machine is left alone: from here nobody can tell.
    """
    try:
        owner = msgspec.json.decode(labels[OWNER], type=Owner)
    except (KeyError, msgspec.DecodeError):
        return False
    return owner.rebooted or (owner.here and not owner.lives())
