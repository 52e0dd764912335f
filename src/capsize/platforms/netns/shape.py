"""From what is to happen to a namespace's traffic to the commands that do it: a pure decision."""

from __future__ import annotations

from typing import Annotated, Literal

import msgspec

from capsize.core.errors import NotSupported
from capsize.core.undo import Run
from capsize.platforms.netns.kernel import Kernel
from capsize.platforms.netns.namespace import Namespace

HANDLE = "ca95:"
"""The qdisc's number, by which ours is told from one that was there."""
QUEUES = 65_536
Millis = Annotated[int, msgspec.Meta(ge=0, le=60_000)]


class Shape(msgspec.Struct, frozen=True, kw_only=True):
    """What happens to the packets of a namespace. ``latency_ms``, ``loss`` and ``rate_kbit`` are for what it sends.

    A round trip is longer by the latency. ``cut`` drops what it sends (``out``), what it receives (``in``) or both;
    ``reset`` answers what comes to it over TCP with a reset: others can't connect, and lose their connections.
    (What it sends itself can't be answered so: on Linux 6.18 the reset does not get back to the sender.)
    """

    latency_ms: Millis = 0
    jitter_ms: Millis = 0
    loss: Annotated[float, msgspec.Meta(ge=0, le=1)] = 0.0
    rate_kbit: Annotated[int, msgspec.Meta(ge=1)] | None = None
    cut: Literal["", "in", "out", "both"] = ""
    reset: bool = False


class Plan(msgspec.Struct, frozen=True, kw_only=True):
    """The commands in the namespace, how each is undone, whether packets are held by a process, and the mechanism's name."""

    mechanism: str
    commands: tuple[tuple[str, ...], ...]
    undo: tuple[Run, ...]
    queue: int | None = None


def plan(shape: Shape, has: Kernel, where: Namespace, device: str, mark: str) -> Plan:
    """Choose the mechanism: netem where the kernel has it, else nft and tbf, and NFQUEUE for delays.

    ``mark`` (letters, digits) names our table and rules, and picks the queue's number. Raises NotSupported with what
    is missing, where only a proxy is left.
    """
    made = _Making(shape, has, where, device, mark)
    made.delays()
    made.disciplines()
    made.drops()
    return Plan(
        mechanism=" and ".join(dict.fromkeys(made.used)),
        commands=tuple(made.commands),
        undo=tuple(made.undo),
        queue=made.queue,
    )


class _Making:
    """A plan while it is made."""

    def __init__(self, shape: Shape, has: Kernel, where: Namespace, device: str, mark: str) -> None:
        self._shape, self._has, self._where, self._device, self._mark = shape, has, where, device, mark
        self._timed = bool(shape.latency_ms or shape.jitter_ms)
        self._rules = _rules(shape, with_loss=not has.netem)
        self.used: list[str] = ["nft"] if any(self._rules.values()) else []
        self.commands: list[tuple[str, ...]] = []
        self.undo: list[Run] = []
        self.queue: int | None = None

    def delays(self) -> None:
        """Have packets held by a process of ours where the kernel can't hold them itself."""
        if not self._timed or self._has.netem:
            return
        if not self._has.queue:
            raise NotSupported("packets can't be delayed here: the kernel has neither netem nor NFQUEUE")
        self.queue = int(self._mark, 36) % QUEUES
        self.used.append("nfqueue")
        if self._has.queue == "nft":
            self._rules["output"].append(f"queue num {self.queue} bypass")
            return
        rule = ["OUTPUT", "-m", "comment", "--comment", f"capsize_{self._mark}", "-j", "NFQUEUE"]
        rule += ["--queue-num", str(self.queue), "--queue-bypass"]
        mangle = ("iptables", "-t", "mangle")
        self._do((*mangle, "-A", *rule), (*mangle, "-D", *rule), (*mangle, "-C", *rule))

    def disciplines(self) -> None:
        """Put a queueing discipline on the device: netem for all that it can do, else tbf for a rate."""
        shape = self._shape
        if self._has.netem and (self._timed or shape.loss or shape.rate_kbit):
            self._qdisc("netem", _netem(shape))
        elif shape.rate_kbit:
            if not self._has.tbf:
                raise NotSupported("the rate can't be limited here: the kernel has neither netem nor tbf")
            self._qdisc("tbf", _tbf(shape.rate_kbit))

    def drops(self) -> None:
        """Lay the rules in a table of our own."""
        if not any(self._rules.values()):
            return
        if not self._has.nft:
            raise NotSupported("packets can't be dropped here: nftables does not work")
        table = ("inet", f"capsize_{self._mark}")
        lines = _table(table[1], self._rules)
        self._do(("nft", lines), ("nft", "delete", "table", *table), ("nft", "list", "table", *table))

    def _qdisc(self, name: str, words: tuple[str, ...]) -> None:
        root = ("dev", self._device, "root")
        self._do(
            ("tc", "qdisc", "add", *root, "handle", HANDLE, name, *words),
            ("tc", "qdisc", "del", *root),
            ("sh", "-c", 'tc qdisc show dev "$1" | grep -q "$2"', "sh", self._device, f" {HANDLE} "),
        )
        self.used.append(name)

    def _do(self, command: tuple[str, ...], back: tuple[str, ...], shows: tuple[str, ...]) -> None:
        self.commands.append(command)
        self.undo.append(Run(argv=self._where.inside(*back), gone=self._where.inside(*shows)))


def _rules(shape: Shape, *, with_loss: bool) -> dict[str, list[str]]:
    """Return the rules for what the namespace receives and sends."""
    rules: dict[str, list[str]] = {"input": [], "output": []}
    if shape.cut in ("in", "both"):
        rules["input"].append("drop")
    if shape.cut in ("out", "both"):
        rules["output"].append("drop")
    if shape.reset:
        rules["input"].append("meta l4proto tcp reject with tcp reset")
    if shape.loss and with_loss:
        rules["output"].append(f"numgen random mod 100000 < {round(shape.loss * 100_000)} drop")
    return rules


def _table(name: str, rules: dict[str, list[str]]) -> str:
    lines = [f"add table inet {name}"]
    for hook, found in rules.items():
        if found:
            # Before all others, so that what is dropped or held here is not counted anywhere as passed.
            lines.append(f"add chain inet {name} {hook} {{ type filter hook {hook} priority -300; }}")
            lines += [f"add rule inet {name} {hook} {rule}" for rule in found]
    return "; ".join(lines)


def _netem(shape: Shape) -> tuple[str, ...]:
    words: list[str] = []
    if shape.latency_ms or shape.jitter_ms:
        words += ["delay", f"{shape.latency_ms}ms", f"{shape.jitter_ms}ms"]
    if shape.loss:
        words += ["loss", f"{shape.loss * 100:g}%"]
    if shape.rate_kbit:
        words += ["rate", f"{shape.rate_kbit}kbit"]
    return tuple(words)


def _tbf(rate_kbit: int) -> tuple[str, ...]:
    # A burst of one full packet at least, or nothing would pass.
    burst = max(2_000, rate_kbit * 1000 // 8 // 50)
    return ("rate", f"{rate_kbit}kbit", "burst", f"{burst}b", "latency", "1s")
