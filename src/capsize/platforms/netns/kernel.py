"""What the kernel and the installed programs can do to a namespace's traffic, found out by trying."""

from __future__ import annotations

from typing import Literal

import msgspec

from capsize.platforms.netns.namespace import run

TRY = "capsize_try"


class Kernel(msgspec.Struct, frozen=True, kw_only=True):
    """Abilities: delay, loss and rate by ``netem``; rates by ``tbf``; drops by ``nft``; packets handed out by ``queue``."""

    netem: bool = False
    tbf: bool = False
    nft: bool = False
    queue: Literal["", "nft", "iptables"] = ""


async def kernel() -> Kernel:
    """Try everything out in a namespace that ends with the trial. Nothing is possible without the rights for one."""
    return Kernel(
        netem=await _works("tc", "qdisc", "add", "dev", "lo", "root", "netem", "delay", "1ms"),
        tbf=await _works(
            "tc",
            "qdisc",
            "add",
            "dev",
            "lo",
            "root",
            "tbf",
            "rate",
            "1mbit",
            "burst",
            "32kb",
            "latency",
            "50ms",
        ),
        nft=await _works(
            "nft", _rules("numgen random mod 1000 < 100 drop", "meta l4proto tcp reject with tcp reset")
        ),
        queue=await _queue(),
    )


async def _queue() -> Literal["", "nft", "iptables"]:
    if await _works("nft", _rules("queue num 7 bypass")):
        return "nft"
    rule = ("-t", "mangle", "-A", "OUTPUT", "-j", "NFQUEUE", "--queue-num", "7", "--queue-bypass")
    return "iptables" if await _works("iptables", *rule) else ""


async def _works(*command: str) -> bool:
    code, _ = await run(("unshare", "--net", "--", *command))
    return code == 0


def _rules(*rules: str) -> str:
    chain = f"add chain inet {TRY} c {{ type filter hook output priority 0; }}"
    return "; ".join([f"add table inet {TRY}", chain, *(f"add rule inet {TRY} c {rule}" for rule in rules)])
