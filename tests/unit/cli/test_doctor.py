"""``capsize doctor``: what it says of a machine that has everything, and of one that lacks something."""

from __future__ import annotations

import json
import socket
from pathlib import Path

import msgspec
import pytest
from click.testing import CliRunner

from capsize.cli.app import cli
from capsize.cli.doctor import basics, machine
from capsize.cli.doctor.command import conclusion, exit_code, told
from capsize.cli.doctor.finding import Finding, fine
from capsize.core.errors import StartError, UsageError
from capsize.faults import FAULTS
from capsize.platforms.docker import engine
from capsize.platforms.local import pgbin
from capsize.platforms.netns.kernel import Kernel

BROKEN = Finding(
    name="postgresql", state="missing", found="none", then="no stack", fix="install it", needed=True
)
LESS = Finding(name="docker", state="missing", found="no engine", then="no containers", fix="start it")


def test_this_machine_can_run_chaos(tmp_path: Path) -> None:
    """Where these tests run PostgreSQL starts, the starter is there, and each fault is accounted for."""
    ran = CliRunner().invoke(cli, ["doctor", "--json", "--output", str(tmp_path)], standalone_mode=False)
    found = json.loads(ran.stdout)
    assert found["works"] is True
    assert ran.return_value == 0
    findings = {one["name"]: msgspec.convert(one, Finding) for one in found["findings"]}
    assert {"python", "postgresql", "memory", "clock", "ports", "docker", "traffic", "disks", "faults"} <= {
        *findings
    }
    assert "PostgreSQL" in findings["postgresql"].found
    assert f"of {len(FAULTS)} can be had" in findings["faults"].found
    # Whatever is less than it could be says what follows from that.
    assert all(one.then for one in findings.values() if one.state != "ok")


def test_what_is_needed_decides_the_exit_code_and_the_rest_with_strict() -> None:
    """A machine without Docker runs chaos; one without PostgreSQL does not."""
    assert exit_code([fine("python", "3"), LESS], strict=False) == 0
    assert exit_code([fine("python", "3"), LESS], strict=True) == 1
    assert exit_code([fine("python", "3"), BROKEN], strict=False) == 1
    assert exit_code([fine("python", "3")], strict=True) == 0


def test_a_person_is_told_what_follows_and_what_to_do() -> None:
    """State, finding, consequence, remedy; and one sentence at the end."""
    assert told(BROKEN).split("\n") == [
        "MISSING  postgresql: none",
        "         so: no stack",
        "         do: install it",
    ]
    assert "will NOT work: postgresql" in conclusion([BROKEN, LESS])
    assert conclusion([LESS]).endswith("Runs will work. With less: docker.")


def test_a_missing_postgresql_is_found(monkeypatch: pytest.MonkeyPatch) -> None:
    """Its package is not installed: nothing stands on processes of this machine."""

    def missing() -> Path:
        raise StartError("PostgreSQL is not installed")

    monkeypatch.setattr(pgbin, "_package", missing)
    finding = basics.postgres()
    assert (finding.state, finding.needed) == ("missing", True)
    assert "not installed" in finding.found


def test_a_missing_starter_is_found(monkeypatch: pytest.MonkeyPatch) -> None:
    """The extra was not installed."""
    monkeypatch.setattr(basics.importlib.util, "find_spec", lambda name: None)
    finding = basics.starter()
    assert finding.state == "missing"
    assert "capsize[starter]" in finding.fix


def test_little_memory_a_busy_machine_and_a_taken_port_are_found() -> None:
    """Each with its measure."""
    assert basics.memory(100 * 2**20, 2).state == "limited"
    assert basics.memory(8 * 2**30, 2).state == "ok"
    assert basics.busyness(30.0, 2).state == "limited"
    assert basics.busyness(0.5, 2).state == "ok"
    with socket.create_server(("127.0.0.1", 0)) as server:
        finding = basics.port(server.getsockname()[1])
        assert finding.state == "limited"
        assert "taken" in finding.found


def test_a_place_that_can_t_be_written_to_is_found(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Runs could not be kept there."""
    monkeypatch.setattr(basics.os, "access", lambda *_: False)
    output, *_ = basics.places(tmp_path)
    assert (output.state, output.needed) == ("missing", True)


def test_no_engine_and_one_that_answers(monkeypatch: pytest.MonkeyPatch) -> None:
    """What the engine's client says is what the person reads."""

    def none() -> None:
        raise UsageError("no Docker engine answers at x. Start one")

    monkeypatch.setattr(engine, "connect", none)
    finding = machine.docker()
    assert (finding.state, finding.needed) == ("missing", False)
    assert finding.found == "no Docker engine answers at x"


@pytest.mark.parametrize(
    ("found", "state"),
    [
        (Kernel(netem=True), "ok"),
        (Kernel(tbf=True, nft=True, queue="nft"), "ok"),
        (Kernel(tbf=True), "limited"),
        (Kernel(), "missing"),
        ("could not be tried", "missing"),
    ],
)
def test_ways_to_disturb_traffic(found: Kernel | str, state: str) -> None:
    """netem, or all that stands in for it; less is limited, nothing is missing."""
    assert machine.traffic(found).state == state
