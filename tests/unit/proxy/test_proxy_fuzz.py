"""Random, mangled and truncated PostgreSQL streams: nothing breaks, nothing is lost or changed, nothing is left."""

from __future__ import annotations

import random
import struct
from collections import deque
from collections.abc import Callable
from types import SimpleNamespace
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from capsize.proxy.postgres.actions.drop import Drop
from capsize.proxy.postgres.match import Match
from capsize.proxy.postgres.rule import Matcher, Rule
from capsize.proxy.postgres.session import Session

STARTUP = struct.pack("!II", 25, 196608) + b"user\0u\0database\0"
SSL = struct.pack("!II", 8, 80877103)


def message(kind: int, body: bytes) -> bytes:
    return bytes((kind,)) + struct.pack("!I", len(body) + 4) + body


class End:
    """What a link, a flow and a proxy are to a session, without sockets."""

    def __init__(self) -> None:
        self.over = False
        self.problems = 0
        self.held: set[object] = set()
        rules = [Rule("r", Match(command="TRUNCATE"), Drop()), Rule("t", Match(table="never"), Drop())]
        self.proxy = SimpleNamespace(
            rules=SimpleNamespace(matcher=Matcher(rules)), count_opaque=lambda why: None
        )
        self.up, self.down = self._flow(), self._flow()

    def _flow(self) -> Any:
        flow = SimpleNamespace(scanner=None, connect=lambda: None, pause=self.held.add, out=bytearray())
        flow.resume = self.held.discard
        return flow

    def feed(self, flow: Any, data: bytes) -> None:
        if flow.scanner is None:
            flow.out += data
        else:
            flow.scanner.feed(data)


def follow(steps: list[tuple[str, bytes]]) -> tuple[End, Session, dict[str, bytes]]:
    """Feed pieces to a new session; returns what was put in, by direction."""
    link = End()
    session = Session(link)  # type: ignore[arg-type]
    session.client.send = link.up.out.extend
    session.server.send = link.down.out.extend
    put: dict[str, bytes] = {"up": b"", "down": b""}
    for direction, data in steps:
        put[direction] += data
        link.feed(getattr(link, direction), data)
    return link, session, put


def finish(link: End, session: Session) -> None:
    for flow, scanner in ((link.up, session.client), (link.down, session.server)):
        if flow.scanner is not None:
            scanner.eof()
            flow.out += scanner.release()


KINDS_UP = b"QPBESHCFDXpdcf"
KINDS_DOWN = b"RSKZTDC123nstEINAGHWdcV"
texts = st.sampled_from([b"SELECT 1", b"COMMIT", b"", b"INSERT INTO x", b"\xff\0\xff", b"'" * 50])
bodies = st.one_of(
    st.binary(max_size=60), texts.map(lambda text: text + b"\0"), st.binary(min_size=1000, max_size=3000)
)
up = st.builds(message, st.sampled_from(list(KINDS_UP)), bodies)
down = st.builds(message, st.sampled_from(list(KINDS_DOWN)), bodies)
cuts = st.lists(st.integers(min_value=1, max_value=400), min_size=1, max_size=20)


def cut(data: bytes, sizes: list[int]) -> list[bytes]:
    pieces, at = [], 0
    turn = deque(sizes)
    while at < len(data):
        pieces.append(data[at : at + turn[0]])
        at += turn[0]
        turn.rotate(-1)
    return pieces


@settings(max_examples=150, deadline=None)
@given(st.lists(up, max_size=15), st.lists(down, max_size=15), cuts, cuts, st.booleans())
def test_valid_messages_pass_unchanged_however_they_are_cut(
    ups: list[bytes], downs: list[bytes], sizes_up: list[int], sizes_down: list[int], encrypted: bool
) -> None:
    """Any sequence of messages comes out as it went in, in both directions, when no rule fits."""
    steps = [("up", SSL), ("down", b"N")] if encrypted else []
    steps += [("up", piece) for piece in cut(STARTUP + b"".join(ups), sizes_up)]
    steps += [("down", piece) for piece in cut(b"".join(downs), sizes_down)]
    link, session, put = follow(steps)
    finish(link, session)
    assert bytes(link.up.out) == put["up"]
    assert bytes(link.down.out) == put["down"]


@settings(max_examples=200, deadline=None)
@given(
    st.lists(st.tuples(st.sampled_from(["up", "down"]), st.binary(max_size=80)), max_size=30), st.booleans()
)
def test_random_bytes_pass_unchanged(steps: list[tuple[str, bytes]], begun: bool) -> None:
    """Garbage, before or after a proper beginning, is passed on as bytes."""
    link, session, put = follow([("up", STARTUP), *steps] if begun else steps)
    finish(link, session)
    assert bytes(link.up.out) == put["up"]
    assert bytes(link.down.out) == put["down"]


def mangled(data: bytes, draw: random.Random) -> bytes:
    """Flip, drop, double or cut off bytes."""
    out = bytearray(data)
    for _ in range(draw.randint(1, 6)):
        at = draw.randrange(len(out))
        what: Callable[[], None] = draw.choice(
            [
                lambda at=at: out.__setitem__(at, draw.randrange(256)),
                lambda at=at: out.__delitem__(slice(at, at + draw.randint(1, 4))),
                lambda at=at: out.__setitem__(slice(at, at), out[at : at + 8]),
            ]
        )
        if len(out) > 20:
            what()
    return bytes(out[: draw.randint(1, len(out))]) if draw.random() < 0.5 else bytes(out)


@pytest.mark.parametrize("seed", range(4))
def test_mangled_sessions_pass_unchanged(seed: int) -> None:
    """500 proper sessions each, with bytes changed, missing, doubled and cut off, in random pieces and turns."""
    draw = random.Random(seed)
    for _ in range(500):
        ups = STARTUP + b"".join(
            message(draw.choice(KINDS_UP), draw.randbytes(draw.choice((0, 1, 5, 30, 300)))) for _ in range(8)
        )
        downs = b"".join(
            message(draw.choice(KINDS_DOWN), draw.randbytes(draw.choice((0, 1, 5, 30, 300))))
            for _ in range(8)
        )
        pieces = [("up", piece) for piece in cut(mangled(ups, draw), [draw.randint(1, 50)])]
        others = [("down", piece) for piece in cut(mangled(downs, draw), [draw.randint(1, 50)])]
        steps: list[tuple[str, bytes]] = []
        while pieces or others:
            source = pieces if (pieces and draw.random() < 0.5) or not others else others
            steps.append(source.pop(0))
        link, session, put = follow(steps)
        finish(link, session)
        assert bytes(link.up.out) == put["up"]
        assert bytes(link.down.out) == put["down"]
        assert len(session.client._tail) < 70_000
        assert not link.held
