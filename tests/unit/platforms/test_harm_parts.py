"""The parts by which the local platform harms instances, each by itself."""

from __future__ import annotations

import asyncio
import socket
import struct
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from capsize.core.clock import MonotonicClock
from capsize.core.errors import InjectionError
from capsize.core.platform import ClockSkewable, Killable
from capsize.platforms.local import LocalPlatform
from capsize.platforms.local.harm import abilities
from capsize.platforms.local.harm.cgroups import Controller, candidates
from capsize.platforms.local.harm.cpu import BUSY_MAX, crowd_of
from capsize.platforms.local.harm.files import limit_for
from capsize.platforms.local.harm.groups import Groups
from capsize.platforms.local.harm.outside import Outside
from capsize.platforms.local.harm.resolver import Resolver, answer, question
from support.guards import RecordingGuard

# ---------------------------------------------------------------- control groups


def tree(root: Path, own: str, control: str = "cpu memory") -> tuple[Path, Path]:
    """Lay the kernel's files for version 2 out under a folder and return what tells where we are."""
    cgroup, mounts = root / "cgroup", root / "mountinfo"
    cgroup.write_text(f"0::{own}\n")
    mounts.write_text(f"30 25 0:26 / {root}/fs rw,nosuid shared:4 - cgroup2 cgroup2 rw\n")
    for folder in (root / "fs", *Path(root / "fs", own[1:]).parents, root / "fs" / own[1:]):
        if folder.is_relative_to(root / "fs"):
            folder.mkdir(parents=True, exist_ok=True)
            (folder / "cgroup.subtree_control").write_text(control)
    return cgroup, mounts


def test_version_2_is_looked_for_from_our_own_group_upwards(tmp_path: Path) -> None:
    """The nearest group that hands the controller down comes first; one that does not is left as it is."""
    cgroup, mounts = tree(tmp_path, "/user.slice/session-1.scope")
    (tmp_path / "fs/user.slice/session-1.scope/cgroup.subtree_control").write_text("pids\n")
    found = candidates("cpu", cgroup, mounts)
    assert [(one.version, one.parent) for one in found] == [
        (2, tmp_path / "fs/user.slice"),
        (2, tmp_path / "fs"),
    ]
    assert candidates("cpu", cgroup, tmp_path / "none") == []


def test_version_1_is_taken_where_the_controller_has_a_tree_of_its_own(tmp_path: Path) -> None:
    """Controllers that share a tree are found by their names, and a mount that shows a part of it counts too."""
    cgroup, mounts = tmp_path / "cgroup", tmp_path / "mountinfo"
    cgroup.write_text("4:memory:/docker/abc\n1:cpu,cpuacct:/docker/abc\n0::/docker/abc\n")
    mounts.write_text(
        "30 25 0:26 /docker/abc /fs/cpu rw shared:4 - cgroup cgroup rw,cpu,cpuacct\n"
        "31 25 0:27 / /fs/memory rw shared:4 - cgroup cgroup rw,memory\n"
    )
    assert candidates("cpu", cgroup, mounts) == [Controller("cpu", 1, Path("/fs/cpu"))]
    assert candidates("memory", cgroup, mounts) == [Controller("memory", 1, Path("/fs/memory/docker/abc"))]


@pytest.mark.parametrize(
    ("version", "name", "amount", "file", "text", "lifted"),
    [
        (1, "cpu", 0.25, "cpu.cfs_quota_us", "25000", "-1"),
        (2, "cpu", 0.25, "cpu.max", "25000 100000", "max 100000"),
        (1, "cpu", 0.000001, "cpu.cfs_quota_us", "1000", "-1"),
        (1, "memory", 1 << 20, "memory.limit_in_bytes", "1048576", "-1"),
        (2, "memory", 1 << 20, "memory.max", "1048576", "max"),
    ],
)
def test_limits_are_written_as_each_version_wants_them(
    tmp_path: Path, version: int, name: str, amount: float, file: str, text: str, lifted: str
) -> None:
    """Cores become a quota of a period, bytes stay bytes, and nothing lifts the limit."""
    group = Controller(name, version, tmp_path).group("g")  # type: ignore[arg-type]
    group.make()
    group.limit(amount)
    assert (group.path / file).read_text() == text == group.limited()
    group.limit(None)
    assert (group.path / file).read_text() == lifted


@pytest.mark.parametrize(("version", "file"), [(1, "memory.oom_control"), (2, "memory.events")])
def test_kills_are_read_from_where_each_version_counts_them(tmp_path: Path, version: int, file: str) -> None:
    """``oom_kill`` is the processes that were killed, not how often memory ran short."""
    group = Controller("memory", version, tmp_path).group("g")
    group.make()
    (group.path / file).write_text("oom 7\nunder_oom 0\noom_kill 3\noom_group_kill 0\n")
    assert group.kills() == 3


def test_a_group_is_announced_before_it_is_made(tmp_path: Path) -> None:
    """The guard and the stack's folder know of a group that then could not be made."""
    guard = RecordingGuard()
    place = tmp_path / "capsize-1"
    place.mkdir()
    missing = Controller("cpu", 1, tmp_path / "nowhere")
    groups = Groups(Outside(place, guard), lambda name: missing)
    with pytest.raises(InjectionError, match="no group for worker-1"):
        groups.of("worker-1", "cpu")
    path = str(tmp_path / "nowhere" / "capsize-1-worker-1")
    assert [step.path for step in guard.told] == [path]  # type: ignore[union-attr]
    assert (place / "outside").read_text() == f"{path}\n"


# ---------------------------------------------------------------- figures


@given(st.sets(st.integers(0, 200)), st.integers(0, 50))
def test_the_limit_leaves_exactly_so_many_descriptors(held: set[int], spare: int) -> None:
    """Below the limit there are as many free numbers as may be spared, holes included, and the next one is free."""
    limit = limit_for(held, spare)
    assert len(set(range(limit)) - held) == spare
    assert limit not in held


@pytest.mark.parametrize(
    ("cores", "machine", "count"), [(1.0, 2, 2), (0.5, 2, 3), (0.1, 2, 19), (0.01, 8, BUSY_MAX)]
)
def test_a_crowd_is_as_large_as_the_share_asks_and_bounded(cores: float, machine: int, count: int) -> None:
    """Never fewer than there are cores, or the victim would have one for itself."""
    assert crowd_of(cores, machine) == count


def test_only_what_hangs_on_the_machine_may_be_lacking(monkeypatch: pytest.MonkeyPatch) -> None:
    """An ability that needs nothing is there; one whose library is missing says which."""
    platform = LocalPlatform(Path(), lambda event: None, MonotonicClock(), {})
    monkeypatch.setattr(abilities.clocks, "library", lambda: "the package libfaketime is not installed")
    assert platform.lacks(Killable) is None
    assert platform.lacks(ClockSkewable) == "the package libfaketime is not installed"


# ---------------------------------------------------------------- names


def asked(name: str, kind: int = 1) -> bytes:
    """Return a question as a client sends it."""
    labels = b"".join(bytes([len(part)]) + part.encode() for part in name.split("."))
    return struct.pack("!HHHHHH", 7, 0x0100, 1, 0, 0, 0) + labels + b"\0" + struct.pack("!HH", kind, 1)


def test_an_answer_holds_the_question_and_the_address() -> None:
    """A name that is known is answered by its address, in the question's own words and number."""
    query = asked("Any.Capsize.Test")
    assert question(query) == ("any.capsize.test", 1, len(query))
    found = answer(query, 0, "127.0.0.1")
    assert found[:2] == query[:2]
    assert found[3] & 0x0F == 0
    assert found[12 : len(query)] == query[12:]
    assert found.endswith(b"\x00\x04\x7f\x00\x00\x01")


@given(st.binary(max_size=200))
def test_no_bytes_break_the_name_server(data: bytes) -> None:
    """What is no question is dropped, what is one is answered, and nothing raises."""
    if question(data) is not None:
        assert answer(data, 3)[2] & 0x80


async def test_a_foreign_name_is_handed_on_to_the_machine_s_own_server() -> None:
    """A question for somebody else's name reaches the server upstream, and its answer comes back unchanged."""
    upstream = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
    upstream.bind(("127.0.0.1", 0))
    upstream.setblocking(False)
    ours = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
    ours.bind(("127.0.0.1", 0))
    ours.setblocking(False)
    client = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
    client.setblocking(False)
    loop = asyncio.get_running_loop()
    resolver = Resolver({"any.capsize.test": "127.0.0.1"}, upstream.getsockname())
    await loop.create_datagram_endpoint(lambda: resolver, sock=ours)
    try:
        async with asyncio.timeout(20.0):
            await loop.sock_sendto(client, asked("example.test"), ours.getsockname())
            data, sender = await loop.sock_recvfrom(upstream, 512)
            assert data == asked("example.test")
            await loop.sock_sendto(upstream, b"whatever it says", sender)
            assert await loop.sock_recv(client, 512) == b"whatever it says"
            resolver.trouble = "nxdomain"
            await loop.sock_sendto(client, asked("example.test"), ours.getsockname())
            assert (await loop.sock_recv(client, 512))[3] & 0x0F == 3
        assert resolver.met == 1
    finally:
        resolver.close()
        client.close()
        upstream.close()
