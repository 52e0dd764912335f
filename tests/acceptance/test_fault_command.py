"""`capsize fault list`, `inject` and `heal` on a real stack, in a state folder of its own."""

from __future__ import annotations

import asyncio
import json
import os
import re
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

import asyncpg
import psutil
import pytest

from capsize.cli.app import entry
from capsize.faults import FAULTS
from support.engines import need_postgres

LIMIT_S = 90.0
CAPSIZE = Path(sys.executable).with_name("capsize")

Call = Callable[..., subprocess.CompletedProcess[str]]


class Stack:
    """The commands with a state folder of their own, and looks at what they did."""

    def __init__(self, state: Path) -> None:
        self.state = state
        self._env = {k: v for k, v in os.environ.items() if k != "PORT"} | {"XDG_STATE_HOME": str(state)}

    def __call__(self, *argv: str) -> subprocess.CompletedProcess[str]:
        """Run a command to its end."""
        return subprocess.run(
            [CAPSIZE, *argv], capture_output=True, text=True, timeout=LIMIT_S, env=self._env, check=False
        )

    def program(self, text: str) -> subprocess.CompletedProcess[str]:
        """Run a Python program to its end."""
        return subprocess.run(
            [sys.executable, "-c", text],
            capture_output=True,
            text=True,
            timeout=LIMIT_S,
            env=self._env,
            check=False,
        )

    @contextmanager
    def holding(self, *argv: str) -> Iterator[subprocess.Popen[str]]:
        """Have `capsize fault inject` under way, and the fault struck."""
        process = subprocess.Popen(
            [CAPSIZE, "fault", "inject", *argv],
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
            env=self._env,
        )
        try:
            assert process.stdout is not None
            said = ""
            for line in process.stdout:
                said += line
                if ": struck" in line:
                    break
            else:
                pytest.fail(f"it did not strike:\n{said}")
            yield process
        finally:
            if process.poll() is None:
                process.kill()
            process.wait()

    def document(self) -> dict[str, object]:
        """Return what `capsize status --json` says."""
        return dict(json.loads(self("status", "--json").stdout))

    def pid(self, name: str) -> int:
        """Return the process of an instance."""
        instances: list[dict[str, object]] = self.document()["instances"]  # type: ignore[assignment]
        return next(int(str(one["pid"])) for one in instances if one["name"] == name)

    def query(self, sql: str) -> object:
        """Return the first value that a statement of the service's user gives, None when it had to wait for a second."""
        url = str(self.document()["state"]["database_url"])  # type: ignore[index]

        async def asked() -> object:
            connection = await asyncpg.connect(url, ssl=False, timeout=LIMIT_S)
            try:
                return await asyncio.wait_for(connection.fetchval(sql), 1.0)
            except TimeoutError:
                return None
            finally:
                connection.terminate()

        return asyncio.run(asked())

    def open(self) -> list[str]:
        """Return the ids of what is injected."""
        listed = json.loads(self("fault", "list", "--json").stdout)
        return [held["id"] for one in listed for held in one["injected"]]


@pytest.fixture(scope="module")
def stack(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Stack]:
    """A stack that is up for this module, with connections through a proxy."""
    need_postgres()
    made = Stack(tmp_path_factory.mktemp("state"))
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
    ran = made("up", "--port", str(port), "--workers", "2", "--proxied")
    try:
        assert ran.returncode == 0, ran.stdout + ran.stderr
        yield made
    finally:
        made("down")


def frozen(pid: int) -> bool:
    """Return whether a process stands still."""
    return bool(psutil.Process(pid).status() == psutil.STATUS_STOPPED)


def until(seen: Callable[[], bool]) -> None:
    """Wait until a look is true."""
    end = time.monotonic() + LIMIT_S
    while not seen():
        assert time.monotonic() < end
        time.sleep(0.02)


def test_without_a_stack_the_list_says_what_to_do(tmp_path: Path) -> None:
    """Every fault is listed, none can be had, and injecting one is a usage error."""
    nowhere = Stack(tmp_path)
    found = json.loads(nowhere("fault", "list", "--json").stdout)
    assert [one["name"] for one in found] == list(FAULTS)
    missing = {one["name"]: one["why_not"] for one in found}
    assert missing["kill"].endswith("capsize up")
    assert missing["latency"].endswith("capsize up --proxied")
    # What no stack on this machine could have is said at once.
    assert "Dependable" in missing["dependency"]
    ran = nowhere("fault", "inject", "kill", "--service", "worker")
    assert ran.returncode == 64
    assert "capsize up" in ran.stderr


def test_the_list_says_what_this_stack_can_have(stack: Stack) -> None:
    """A fault on processes, on the database and on connections can be had; one on an outside service can't, and why."""
    found = {one["name"]: one for one in json.loads(stack("fault", "list", "--json").stdout)}
    assert {found[name]["why_not"] for name in ("kill", "lock_table", "latency")} == {None}
    assert "Dependable" in found["dependency"]["why_not"]
    assert found["lock_table"]["needs"] == ["Connectable", "Queryable"]
    told = stack("fault", "list").stdout
    assert "mode=access share|row share" in told
    assert max(map(len, told.splitlines())) <= 80


WRONG = {
    "fault": (("kil", "--service", "worker"), "did you mean 'kill'"),
    "whom": (("kill",), "Give --service, one of postgres, api, worker"),
    "service": (("kill", "--service", "workr"), "did you mean 'worker'"),
    "instance": (("kill", "--instance", "worker-9"), "Known: api, api-1"),
    "field": (("stop", "--service", "worker", "--set", "hart=true"), "did you mean 'hard'"),
    "no field": (("kill", "--service", "worker", "--set", "hard=true"), "it has no fields"),
    "value": (("stop", "--service", "worker", "--set", "hard=maybe"), "it takes true|false"),
    "too much": (("slow_queries", "--set", "delay_s=1000"), "<= 60"),
    "a choice": (("lock_table", "--set", "table=tasks", "--set", "mode=total"), "exclusive"),
    "missing": (("lock_table",), "needs --set table=TEXT"),
    "no pair": (("stop", "--service", "worker", "--set", "hard"), "FIELD=VALUE"),
    "table": (("lock_table", "--set", "table=task"), "Known: breakers"),
    "seconds": (("kill", "--service", "worker", "--for", "-1"), "can't be negative"),
    "ability": (("dependency", "--service", "worker", "--set", "mode=fail"), "Dependable"),
    "no database": (("crash_in_checkpoint", "--service", "worker"), "is for postgres-1"),
    "nor this": (("lock_table", "--service", "api", "--set", "table=tasks"), "api-1 is not the database"),
}


def test_a_mistake_is_said_in_one_message_and_nothing_is_touched(
    stack: Stack, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    """Exit code 64, the known names or what is taken, every process the same, nothing left injected."""
    monkeypatch.setenv("XDG_STATE_HOME", str(stack.state))
    before = stack.document()["instances"]
    for argv, message in WRONG.values():
        assert entry(["fault", "inject", *argv]) == 64, argv
        assert message in " ".join(capsys.readouterr().err.split()), argv
    assert stack.document()["instances"] == before
    assert stack.open() == []


def test_a_fault_is_over_after_its_time(stack: Stack) -> None:
    """The worker is another process afterwards and ready; the command says what it did, with exit code 0."""
    before = stack.pid("worker-1")
    ran = stack("fault", "inject", "kill", "--instance", "worker-1", "--for", "0.1")
    assert ran.returncode == 0, ran.stderr
    assert "kill on worker-1: struck" in ran.stdout
    assert "kill on worker-1: healed" in ran.stdout
    assert stack.pid("worker-1") not in (before, None)


@pytest.mark.parametrize(
    ("number", "more", "code"),
    [(signal.SIGINT, (), 0), (signal.SIGINT, ("--for", "60"), 130), (signal.SIGTERM, (), 143)],
)
def test_a_signal_heals_at_once(stack: Stack, number: int, more: tuple[str, ...], code: int) -> None:
    """The frozen worker goes on; Ctrl-C is the normal end of a fault that has no time."""
    pid = stack.pid("worker-1")
    with stack.holding("pause", "--service", "worker-1", *more) as process:
        assert frozen(pid)
        process.send_signal(number)
        assert process.wait(LIMIT_S) == code
    assert not frozen(pid)
    assert stack.open() == []


def test_the_guardian_heals_when_the_command_is_killed(stack: Stack) -> None:
    """SIGKILL while a worker is frozen and while the database is read-only: both are as before, and nothing is open."""
    pid = stack.pid("worker-1")
    with stack.holding("pause", "--service", "worker-1") as one, stack.holding("read_only") as other:
        assert frozen(pid)
        assert stack.query("show default_transaction_read_only") == "on"
        assert len(stack.open()) == 2
        one.kill()
        other.kill()
        until(lambda: not frozen(pid))
        until(lambda: stack.query("show default_transaction_read_only") == "off")
        until(lambda: stack.open() == [])


def test_a_detached_fault_stays_until_it_is_healed(stack: Stack) -> None:
    """The command returns with the lock held, the list shows it, and `fault heal` takes it away, once and again."""
    ran = stack("fault", "inject", "lock_table", "--set", "table=tasks", "--detach")
    assert ran.returncode == 0, ran.stderr
    (name,) = stack.open()
    assert f"capsize fault heal {name}" in ran.stdout
    assert f"Injected now: {name} on postgres-1" in stack("fault", "list").stdout
    assert stack.query("select count(*) from tasks") is None
    wrong = stack("fault", "heal", "kill")
    assert wrong.returncode == 64
    assert name in wrong.stderr
    assert stack("fault", "heal", name).returncode == 0
    assert stack.query("select count(*) from tasks") == 0
    assert "Nothing is injected" in stack("fault", "heal").stdout


def test_a_detached_mistake_is_told_like_any(stack: Stack) -> None:
    """What the process in the background finds wrong comes through, with its exit code."""
    ran = stack("fault", "inject", "lock_table", "--set", "table=nothing", "--detach")
    assert ran.returncode == 64
    assert "Known: breakers" in ran.stderr


def test_a_fault_on_connections_works_here_too(stack: Stack) -> None:
    """The stack's proxy is asked over the same socket; the healing leaves nothing on it."""
    ran = stack("fault", "inject", "latency", "--service", "worker", "--set", "latency_ms=30", "--for", "0")
    assert ran.returncode == 0, ran.stderr
    assert "proxy on worker-1>postgres-1" in ran.stdout


def test_a_service_is_brought_back_whatever_was_done_to_it(stack: Stack) -> None:
    """One worker stopped, one frozen, both held in the background: `heal --service worker` has both at work."""
    for name, whom in (("stop", "worker-1"), ("pause", "worker-2")):
        assert stack("fault", "inject", name, "--instance", whom, "--detach").returncode == 0
    ran = stack("fault", "heal", "--service", "worker")
    assert ran.returncode == 0, ran.stderr
    instances: list[dict[str, object]] = stack.document()["instances"]  # type: ignore[assignment]
    assert all(one["ready"] for one in instances)
    assert stack.open() == []


def test_the_example_in_the_docs_works(stack: Stack) -> None:
    """The program of docs/one-fault.md locks the table of this stack, says so, and leaves the stack up and free."""
    page = (Path(__file__).parents[2] / "docs" / "one-fault.md").read_text()
    (program,) = re.findall(r"```python\n(.*?)```", page, flags=re.DOTALL)
    ran = stack.program(program)
    assert ran.returncode == 0, ran.stderr
    assert ran.stdout == "public.tasks in access exclusive mode\n"
    assert stack.query("select count(*) from tasks") == 0


def test_it_ends_with_the_stack(stack: Stack) -> None:
    """Taking the stack down ends who holds a fault in it, in order; run last."""
    with stack.holding("pause", "--service", "worker-1") as process:
        assert stack("down").returncode == 0
        assert process.wait(LIMIT_S) == 0
    assert "nothing is injected" in stack("fault", "heal").stdout


@pytest.mark.slow
def test_the_benchmark_measures_and_writes(tmp_path: Path) -> None:
    """Two faults, once each, into a file of our own: both have their times, and no stack is left."""
    script, out = Path(__file__).parents[2] / "benchmarks" / "faults.py", tmp_path / "times.json"
    ran = subprocess.run(
        [sys.executable, script, "--only", "kill", "lock_table", "--injections", "1", "--write", out],
        capture_output=True,
        text=True,
        timeout=LIMIT_S,
        check=False,
    )
    assert ran.returncode == 0, ran.stderr
    faults = json.loads(out.read_text())["faults"]
    assert list(faults) == ["kill", "lock_table"]
    assert all(times["strike_s"] > 0 and times["heal_s"] > 0 for times in faults.values())
