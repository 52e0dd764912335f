"""The parts of the Docker platform that need no engine."""

from __future__ import annotations

import os
import subprocess
import sys

import msgspec
import pytest

from capsize.core.platform import Killable, MemoryLimitable
from capsize.guardian.owner import Owner
from capsize.platforms.docker import images
from capsize.platforms.docker.abilities import Abilities
from capsize.platforms.docker.marks import OWNER, RUN, Marks, is_stale
from capsize.platforms.docker.news import signalled
from capsize.platforms.docker.order import Order, http_health
from capsize.platforms.local.looks import at_once


def order(**changes: object) -> Order:
    """Return a plain order with some fields replaced."""
    plain = Order(
        name="capsize-1-api-1",
        image="i:1",
        network="capsize-1",
        aliases=("api-1",),
        labels={RUN: "1"},
        look=at_once(),
    )
    return Order(**{**vars(plain), **changes})


@pytest.mark.parametrize(
    ("code", "told"), [(0, 0), (1, 1), (127, 127), (137, -9), (143, -15), (130, -2), (255, 255)]
)
def test_a_signal_is_a_negative_code(code: int, told: int) -> None:
    """An engine adds 128 to a signal; what lies beyond the last signal is a code."""
    assert signalled(code) == told


def test_each_run_draws_marks_of_its_own() -> None:
    """Labels and names hold the run's word, and the owner unless the run is to outlive it."""
    one, other = Marks.draw(), Marks.draw(outlives=True)
    assert one.label == f"{RUN}={one.run}"
    assert one.run != other.run
    assert one.name("api-1") == f"capsize-{one.run}-api-1"
    assert not is_stale(one.labels)
    assert not is_stale(other.labels)


def test_what_a_dead_process_made_is_stale_and_nothing_else() -> None:
    """Another machine's, another container's, and what has no owner can't be judged from here."""
    mine = Owner.of(os.getpid())
    gone = msgspec.structs.replace(mine, pid=4_000_000)
    elsewhere = Owner(pid=4_000_000, created=1.0, space="pid:[1] " + mine.space.partition(" ")[2])

    def stale(owner: Owner) -> bool:
        return is_stale({OWNER: msgspec.json.encode(owner).decode()})

    assert (stale(mine), stale(gone), stale(elsewhere)) == (False, True, False)
    assert not is_stale({})
    assert not is_stale({OWNER: "no owner"})


def test_an_order_is_put_into_the_engines_words() -> None:
    """Loopback only, no more cores than there are, no swap, the engine's own restarts."""
    pytest.importorskip("docker")
    words = order(publish=(5432, 15000), cpu=64.0, memory=1 << 20, health=http_health(80, "/ok")).spoken(2.0)
    assert words["ports"] == {"5432/tcp": ("127.0.0.1", 15000)}
    assert words["cpu_quota"] / words["cpu_period"] == 2.0
    assert words["mem_limit"] == words["memswap_limit"] == 1 << 20
    assert words["restart_policy"]["Name"] == "unless-stopped"
    assert words["entrypoint"] == ""
    assert words["healthcheck"]["Test"][0] == "CMD"
    assert "ports" not in order().spoken(2.0)
    assert "entrypoint" not in order(own_entry=True).spoken(2.0)
    assert order(restart=False).spoken(2.0)["restart_policy"]["Name"] == "no"


def test_a_build_sees_what_it_needs_and_nothing_else() -> None:
    """No test, no document, no cache: they would make the image anew at each change."""
    pytest.importorskip("docker")
    files = images._context()
    assert {"Dockerfile", "pyproject.toml", "constraints.txt", "src/capsize_starter/cli.py"} <= {*files}
    assert not [
        path for path in files if path.startswith(("src/capsize/", "tests/", "docs/")) or ".pyc" in path
    ]


def test_other_commands_do_not_load_the_engines_client() -> None:
    """The start of capsize stays as quick as it was."""
    code = "import sys, capsize.cli.app, capsize.platforms, capsize.runner; print([m for m in sys.modules if m.split('.')[0] == 'docker'])"
    done = subprocess.run(
        [sys.executable, "-c", code], capture_output=True, text=True, check=True, timeout=60
    )
    assert done.stdout.strip() == "[]"


def test_what_needs_root_is_lacking_without_it(monkeypatch: pytest.MonkeyPatch) -> None:
    """A scenario that needs it is skipped with the reason; kills have a helper and need none."""
    monkeypatch.setattr(os, "geteuid", lambda: 1000)
    assert "root" in str(Abilities().lacks(MemoryLimitable))
    assert Abilities().lacks(Killable) is None
    monkeypatch.setattr(os, "geteuid", lambda: 0)
    assert Abilities().lacks(MemoryLimitable) is None
