"""A network that is cut in two."""

from __future__ import annotations

from typing import ClassVar, Literal

from capsize.faults.connections import OnBytes, Toxic, from_victim, to_victim


class Partition(OnBytes, frozen=True, kw_only=True):
    """Lets nothing through between the victims and ``peer`` until it is healed; nobody is told.

    As with a cable that is pulled out, what was sent meanwhile arrives afterwards, if its sender still waits. With
    ``cut`` ``out`` only what the victims send is held, with ``in`` only what they receive: a statement is then
    carried out, and its answer does not come. New connections are accepted by the proxy, and lead nowhere.
    """

    name: ClassVar[str] = "partition"

    cut: Literal["both", "in", "out"] = "both"

    def toxics(self, outgoing: bool) -> list[Toxic]:
        """Return a toxic for each direction that is cut."""
        out, into = from_victim(outgoing), to_victim(outgoing)
        streams = {"both": (out, into), "in": (into,), "out": (out,)}[self.cut]
        return [("partition", stream, {}) for stream in streams]
