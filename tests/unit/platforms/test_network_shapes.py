"""Which mechanism disturbs a namespace's network, by what the kernel has: a pure decision."""

from __future__ import annotations

import pytest

from capsize.core.errors import NotSupported
from capsize.platforms.netns import Kernel, Namespace, Shape, plan

WHERE = Namespace.named("there")
FULL = Kernel(netem=True, tbf=True, nft=True, queue="nft")
OLD = Kernel(tbf=True, nft=True, queue="iptables")
QUEUES = Kernel(tbf=True, nft=True, queue="nft")
BARE = Kernel()


@pytest.mark.parametrize(
    ("shape", "kernel", "mechanism"),
    [
        (Shape(latency_ms=100, jitter_ms=10), FULL, "netem"),
        (Shape(latency_ms=100, loss=0.1, rate_kbit=64), FULL, "netem"),
        (Shape(loss=0.1), FULL, "netem"),
        (Shape(cut="both"), FULL, "nft"),
        (Shape(latency_ms=100, cut="in"), FULL, "nft and netem"),
        (Shape(latency_ms=100), OLD, "nfqueue"),
        (Shape(latency_ms=100), QUEUES, "nfqueue"),
        (Shape(loss=0.1), OLD, "nft"),
        (Shape(rate_kbit=64), OLD, "tbf"),
        (Shape(reset=True), OLD, "nft"),
        (Shape(latency_ms=100, loss=0.1, rate_kbit=64), OLD, "nft and nfqueue and tbf"),
    ],
)
def test_netem_where_there_is_one_and_else_the_next_best(
    shape: Shape, kernel: Kernel, mechanism: str
) -> None:
    """The mechanism is named, and every command has its undoing, which asks first whether anything is left."""
    made = plan(shape, kernel, WHERE, "eth0", "abc")
    assert made.mechanism == mechanism
    assert made.commands
    assert len(made.undo) == len(made.commands)
    assert all(step.gone is not None and "/run/netns/there" in step.argv[1] for step in made.undo)
    assert (made.queue is not None) == ("nfqueue" in mechanism)


def test_what_is_undone_is_what_was_done() -> None:
    """Our table, our qdisc and our rule, by their names, and nothing else."""
    made = plan(Shape(latency_ms=5, loss=0.5, rate_kbit=9), OLD, WHERE, "eth0", "abc")
    text = [" ".join(step.argv) for step in made.undo]
    assert "iptables -t mangle -D OUTPUT -m comment --comment capsize_abc" in text[0]
    assert text[1].endswith("tc qdisc del dev eth0 root")
    assert text[2].endswith("nft delete table inet capsize_abc")


@pytest.mark.parametrize(
    ("shape", "what"),
    [
        (Shape(latency_ms=1), "neither netem nor NFQUEUE"),
        (Shape(rate_kbit=1), "neither netem nor tbf"),
        (Shape(cut="out"), "nftables does not work"),
        (Shape(loss=0.1), "nftables does not work"),
    ],
)
def test_what_can_not_be_done_is_said(shape: Shape, what: str) -> None:
    """On a kernel that has nothing only the proxy is left."""
    with pytest.raises(NotSupported, match=what):
        plan(shape, BARE, WHERE, "eth0", "abc")


def test_nothing_to_do_needs_nothing() -> None:
    """No command, no undoing, on any kernel."""
    for kernel in (FULL, OLD, BARE):
        made = plan(Shape(), kernel, WHERE, "eth0", "abc")
        assert (made.commands, made.undo, made.mechanism) == ((), (), "")
