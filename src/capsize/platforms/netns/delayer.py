"""Holds packets that the kernel hands out (NFQUEUE): ``python -m capsize.platforms.netns.delayer``.

For kernels without netem. Packets are only named to us, not copied: after its time each is let go, in order. When
this process ends, the rule that hands them out lets everything pass. It ends with its standard input.
"""

from __future__ import annotations

import heapq
import os
import random
import select
import socket
import struct
import sys
import time

import click

NETLINK_NETFILTER = 12
PACKET, VERDICT, CONFIG = 0x300, 0x301, 0x302
CFG_CMD, CFG_PARAMS, CFG_MAXLEN = 1, 2, 3
BIND, COPY_META = 1, 1
PACKET_HDR, VERDICT_HDR = 1, 2
ACCEPT = 1
REQUEST, ACK = 1, 4
ERROR = 2
QUEUE_MAX = 10_000
RECEIVE_BYTES = 4 << 20


class Queue:
    """One queue of the kernel in this process' network namespace."""

    def __init__(self, number: int) -> None:
        self._number = number
        self.socket = socket.socket(socket.AF_NETLINK, socket.SOCK_RAW, NETLINK_NETFILTER)
        self.socket.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, RECEIVE_BYTES)
        self.socket.bind((0, 0))
        self._ask(_attribute(CFG_CMD, struct.pack("!BxH", BIND, 0)))
        self._ask(_attribute(CFG_PARAMS, struct.pack("!IB", 0, COPY_META)))
        self._ask(_attribute(CFG_MAXLEN, struct.pack("!I", QUEUE_MAX)))

    def packets(self) -> list[int]:
        """Return the numbers of the packets that have come."""
        try:
            data = self.socket.recv(65536)
        except OSError:
            # Too many at once: those that were not named to us are dropped, as on a full line.
            return []
        return [
            number
            for kind, body in _messages(data)
            if kind == PACKET and (number := _packet(body)) is not None
        ]

    def accept(self, packet: int) -> None:
        """Let a packet go on."""
        self._send(VERDICT, _attribute(VERDICT_HDR, struct.pack("!II", ACCEPT, packet)), 0)

    def _ask(self, attribute: bytes) -> None:
        """Send a setting and wait for its confirmation. Raises OSError."""
        self._send(CONFIG, attribute, ACK)
        while True:
            for kind, body in _messages(self.socket.recv(65536)):
                if kind == ERROR:
                    code = struct.unpack_from("=i", body)[0]
                    if code:
                        raise OSError(-code, f"the kernel refused queue {self._number}")
                    return

    def _send(self, kind: int, attribute: bytes, flags: int) -> None:
        body = struct.pack("!BBH", 0, 0, self._number) + attribute
        self.socket.send(struct.pack("=IHHII", 16 + len(body), kind, REQUEST | flags, 0, 0) + body)


def _attribute(kind: int, value: bytes) -> bytes:
    return struct.pack("=HH", 4 + len(value), kind) + value + b"\0" * (-len(value) % 4)


def _messages(data: bytes) -> list[tuple[int, bytes]]:
    found = []
    while len(data) >= 16:
        size, kind = struct.unpack_from("=IH", data)
        found.append((kind, data[16:size]))
        data = data[(size + 3) & ~3 :]
    return found


def _packet(body: bytes) -> int | None:
    """Return the packet's number, out of the attributes behind the four bytes of the family and the queue."""
    body = body[4:]
    while len(body) >= 4:
        size, kind = struct.unpack_from("=HH", body)
        if kind & 0x3FFF == PACKET_HDR:
            return int(struct.unpack_from("!I", body, 4)[0])
        if size < 4:
            return None
        body = body[(size + 3) & ~3 :]
    return None


def hold(queue: Queue, latency_s: float, jitter_s: float, draw: random.Random) -> None:
    """Let each packet go after its time, until standard input ends. None overtakes another."""
    waiting: list[tuple[float, int, int]] = []
    last, count = 0.0, 0
    while True:
        now = time.monotonic()
        while waiting and waiting[0][0] <= now:
            queue.accept(heapq.heappop(waiting)[2])
        wait = max(0.0, waiting[0][0] - now) if waiting else None
        ready, _, _ = select.select([queue.socket, sys.stdin], [], [], wait)
        if sys.stdin in ready and not os.read(sys.stdin.fileno(), 1):
            for _, _, packet in sorted(waiting):
                queue.accept(packet)
            return
        if queue.socket in ready:
            now = time.monotonic()
            for packet in queue.packets():
                last = max(last, now + max(0.0, latency_s + draw.uniform(-jitter_s, jitter_s)))
                count += 1
                heapq.heappush(waiting, (last, count, packet))


@click.command()
@click.option("--queue", type=int, required=True, help="The queue's number.")
@click.option("--latency", type=float, default=0.0, help="Milliseconds that a packet is held.")
@click.option("--jitter", type=float, default=0.0, help="Milliseconds more or less, drawn for each.")
@click.option("--seed", type=int, default=0, help="What the jitter is drawn from.")
def main(queue: int, latency: float, jitter: float, seed: int) -> None:
    """Hold the packets of a queue. The first line of output tells that it is bound."""
    try:
        bound = Queue(queue)
    except OSError as error:
        click.echo(f"queue {queue} can't be had: {error}", err=True)
        sys.exit(70)
    click.echo("ready")
    hold(bound, latency / 1000, jitter / 1000, random.Random(seed))


if __name__ == "__main__":
    main()
