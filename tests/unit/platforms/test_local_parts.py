"""The small parts of the local platform: fields, logs, ports, and whose binaries PostgreSQL runs from."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

from capsize.core.errors import StartError
from capsize.core.platform import Service
from capsize.platforms.local import pgbin, ports
from capsize.platforms.local.fields import fill
from capsize.platforms.local.log import InstanceLog
from capsize.platforms.local.plan import Plan
from support.tiny import POSTGRES, api, worker


def test_fields_are_filled_and_other_braces_left_alone() -> None:
    """Bare lower-case names are places; JSON is not."""
    values = {"port": "80", "instance": "api-1"}
    assert fill('{instance}:{port} {"a": {}} {} {PORT}', values, "x") == 'api-1:80 {"a": {}} {} {PORT}'


def test_an_unknown_field_is_an_error_that_names_it() -> None:
    """The message has the field, where it stands, and what is known."""
    with pytest.raises(StartError, match=r"DSN of api asks for \{databse_url\}.*Known: database_url"):
        fill("{databse_url}", {"database_url": "x"}, "DSN of api")


def test_a_log_is_searched_from_the_last_start_only(tmp_path: Path) -> None:
    """A line of an earlier start is no sign of readiness; a text that comes in two halves is found."""
    log = InstanceLog(tmp_path / "x.log")
    _start(log, b"worker.ready\n")
    assert log.holds("worker.ready")
    fd = log.open("start 2")
    assert not log.holds("worker.ready")
    os.write(fd, b"worker.re")
    assert not log.holds("worker.ready")
    os.write(fd, b"ady\n")
    assert log.holds("worker.ready")
    os.close(fd)


def test_the_tail_is_of_the_last_start(tmp_path: Path) -> None:
    """An error shows the last lines of this start, not of an earlier one, and says so when there is none."""
    log = InstanceLog(tmp_path / "x.log")
    _start(log, b"old\n")
    _start(log, b"".join(b"line %d\n" % n for n in range(100)))
    assert log.tail().endswith("| line 99")
    assert "| line 50" not in log.tail()
    assert "old" not in log.tail()
    _start(log, b"")
    assert "wrote nothing" in log.tail()


def test_free_ports_are_none_that_a_client_could_be_given() -> None:
    """Ports come from outside the kernel's range for outgoing connections, and none twice."""
    low, high = ports._ephemeral()
    taken: set[int] = set()
    for _ in range(50):
        port = ports.free_port(taken)
        assert port not in taken
        assert not low <= port <= high
        taken.add(port)


def test_a_plan_gives_every_instance_its_port_and_addresses() -> None:
    """Ports are fixed before anything starts; a service knows the API's address also before it runs."""
    service = Service(name="w", role="worker", command=("{instance}", "{api_url}"), replicas=2)
    plan = Plan.of((POSTGRES, api(), service), {"witness_url": "http://w"})
    assert sorted(plan.ports) == ["api-1", "postgres-1"]
    assert plan.command(service, 2) == ("w-2", f"http://127.0.0.1:{plan.ports['api-1']}")
    assert plan.port(worker(), 1) is None


def test_two_services_of_one_name_are_refused() -> None:
    """Instances are known by name alone."""
    with pytest.raises(StartError, match="same name"):
        Plan.of((worker(), worker()), {})


def test_a_closed_folder_is_not_enterable(tmp_path: Path) -> None:
    """Every folder on the way counts, not only the last one."""
    inner = tmp_path / "closed" / "open"
    inner.mkdir(parents=True)
    inner.chmod(0o755)
    inner.parent.chmod(0o700)
    assert not pgbin.enterable(inner)
    assert pgbin.enterable(Path("/usr/bin"))


def _start(log: InstanceLog, text: bytes) -> None:
    fd = log.open("start")
    os.write(fd, text)
    os.close(fd)
