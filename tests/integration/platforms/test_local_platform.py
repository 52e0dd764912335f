"""What only real processes can show: whole trees, logs, ports, environments, and nothing left behind."""

from __future__ import annotations

import asyncio
import os
import re
import signal
import socket
import subprocess
import sys
import time
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import psutil
import pytest

from capsize.core.clock import MonotonicClock
from capsize.core.errors import StartError
from capsize.core.platform import Ready, Service
from capsize.guardian.belonging import belonging
from capsize.platforms.local import LocalPlatform, pgbin
from capsize.platforms.local.keeper import RestartPolicy
from capsize.platforms.local.place import stale_places
from support.engines import need_postgres
from support.tiny import POSTGRES, PROGRAM, Recorder, api, job, worker
from support.waiting import until

LIMIT_S = 30.0
SUPPORT = Path(__file__).parents[2] / "support"


@pytest.fixture
def record() -> Recorder:
    """What the platform records."""
    return Recorder()


@pytest.fixture
async def platform(tmp_path: Path, record: Recorder) -> AsyncIterator[LocalPlatform]:
    """A local platform whose restart policy is quick; at the end nothing of it may be left."""
    quick = RestartPolicy(first_s=0.01, longest_s=0.05, tries_max=3)
    under = LocalPlatform(tmp_path / "logs", record, MonotonicClock(), {"witness_url": "http://w"}, quick)
    places: list[Path] = []
    yield under
    if under.place is not None:
        places.append(under.place)
    await under.down()
    for place in places:
        assert not leaves_something(place)


def tree_of(pid: int | None) -> list[psutil.Process]:
    """Return a process and all its descendants."""
    process = psutil.Process(pid)
    return [process, *process.children(recursive=True)]


def dead(process: psutil.Process) -> bool:
    """Return whether a process is gone, or only waits to be reaped."""
    try:
        return process.status() == psutil.STATUS_ZOMBIE
    except psutil.NoSuchProcess:
        return True


def leaves_something(place: Path | None) -> bool:
    """Return whether a process or a file of the stack with that folder is left."""
    assert place is not None
    return bool(belonging(place)) or place.exists()


def pid_of(platform: LocalPlatform, name: str) -> int | None:
    """Return the process number of an instance."""
    return next(i.pid for i in platform.instances() if i.name == name)


# ---------------------------------------------------------------- whole trees


async def test_kill_takes_the_children_too(platform: LocalPlatform) -> None:
    """Children of a killed instance are gone when ``kill`` returns, also those in sessions of their own."""
    await platform.up((api("--children", "4"),))
    family = tree_of(pid_of(platform, "api-1"))
    assert len(family) == 5
    await platform.kill("api-1")
    assert all(dead(process) for process in family)


async def test_pause_freezes_every_backend_of_postgres(platform: LocalPlatform) -> None:
    """Each process of PostgreSQL stands still, whose backends have sessions of their own; then all go on."""
    need_postgres()
    await platform.up((POSTGRES,))
    await platform.query("select 1")
    family = tree_of(pid_of(platform, "postgres-1"))
    assert len({os.getsid(process.pid) for process in family}) > 1
    await platform.pause("postgres-1")
    assert [p.status() for p in family] == [psutil.STATUS_STOPPED] * len(family)
    await platform.resume("postgres-1")
    assert psutil.STATUS_STOPPED not in [p.status() for p in family if not dead(p)]
    assert await platform.query("select 1 as one") == [{"one": 1}]


async def test_postgres_keeps_what_it_committed_over_kills(platform: LocalPlatform) -> None:
    """Every commit that was acknowledged is there after SIGKILL of the whole server, three times over."""
    need_postgres()
    await platform.up((POSTGRES,))
    await platform.query("create table kept (n int)")
    for n in range(3):
        await platform.query("insert into kept values ($1)", n)
        await platform.kill("postgres-1")
        await platform.start("postgres-1")
    assert await platform.query("select n from kept order by n") == [{"n": 0}, {"n": 1}, {"n": 2}]


async def test_postgres_starts_when_its_old_number_belongs_to_another(
    platform: LocalPlatform, record: Recorder
) -> None:
    """A pid file that names a living process does not keep a killed PostgreSQL from coming back."""
    need_postgres()
    await platform.up((POSTGRES,))
    await platform.stop("postgres-1", hard=True)
    assert platform.place is not None
    pid_file = platform.place / "data" / "postmaster.pid"
    lines = pid_file.read_text().splitlines()
    pid_file.write_text("\n".join([str(os.getppid()), *lines[1:]]) + "\n")
    await platform.start("postgres-1")
    assert await platform.query("select 1 as one") == [{"one": 1}]
    assert record.codes("postgres-1") == [-signal.SIGKILL]


@pytest.mark.skipif(os.geteuid() != 0, reason="only root runs PostgreSQL as another user")
async def test_postgres_runs_from_a_copy_where_its_user_can_not_go(
    platform: LocalPlatform, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A virtual environment in a closed folder, as under /root, does not keep root from having a PostgreSQL."""
    need_postgres()
    monkeypatch.setattr(pgbin, "enterable", lambda folder: "pginstall" not in str(folder))
    await platform.up((POSTGRES,))
    program = Path(psutil.Process(pid_of(platform, "postgres-1")).exe())
    assert platform.place is not None
    assert program.is_relative_to(platform.place)
    assert await platform.query("select 1 as one") == [{"one": 1}]


# ---------------------------------------------------------------- restarts


async def test_it_gives_up_a_hopeless_instance_and_start_tries_again(
    platform: LocalPlatform, record: Recorder, tmp_path: Path
) -> None:
    """Exits in a row before it is ready end the restarts; a start by hand begins anew."""
    broken = tmp_path / "broken"
    program = f"import os, sys, time; sys.exit(3) if os.path.exists({str(broken)!r}) else print('up')\n"
    command = (sys.executable, "-c", program + "time.sleep(600)")
    await platform.up((Service(name="s", role="other", command=command, ready=Ready(log="up")),))
    broken.touch()
    await platform.kill("s-1")
    await until(lambda: record.states("s-1")[-1] == "gave_up")
    assert record.codes("s-1") == [-9, 3, 3, 3]
    broken.unlink()
    await platform.start("s-1")
    assert platform.instances()[0].ready


async def test_delays_double_and_the_exit_is_noticed_at_once(tmp_path: Path, record: Recorder) -> None:
    """A restart comes no sooner than its delay, which doubles with each exit."""
    policy = RestartPolicy(first_s=0.1, longest_s=5.0)
    platform = LocalPlatform(tmp_path, record, MonotonicClock(), {}, policy)
    try:
        await platform.up((worker(replicas=1),))
        for _ in range(3):
            await platform.kill("worker-1")
            await platform.start("worker-1")
    finally:
        await platform.down()
    changes = record.changes("worker-1")
    exits = [e.t for e in changes if e.state == "exited"]
    starts = [e.t for e in changes if e.state == "starting"][1:]
    for delay, went, came in zip((0.1, 0.2, 0.4), exits, starts, strict=True):
        assert came - went >= delay


async def test_an_instance_that_ignores_sigterm_is_killed_after_its_grace(
    platform: LocalPlatform, record: Recorder
) -> None:
    """``terminate`` returns when it is gone, whatever it takes; the code tells that it was SIGKILL."""
    await platform.up((api("--ignore-term", grace_s=0.2),))
    await platform.terminate("api-1")
    assert record.codes("api-1") == [-signal.SIGKILL]


async def test_an_instance_on_its_way_out_is_not_ready_and_start_waits_for_the_next(
    platform: LocalPlatform, record: Recorder
) -> None:
    """Between SIGTERM and the exit it is no victim and not yet back: start returns with the next process."""
    await platform.up((api("--ignore-term", grace_s=2.0),))
    before = pid_of(platform, "api-1")
    ending = asyncio.create_task(platform.terminate("api-1"))
    await until(lambda: not platform.instances()[0].ready)
    assert pid_of(platform, "api-1") == before
    await platform.start("api-1")
    assert pid_of(platform, "api-1") != before
    assert platform.instances()[0].ready
    await ending


# ---------------------------------------------------------------- starting


async def test_a_failed_start_shows_the_log_and_leaves_nothing(
    platform: LocalPlatform, record: Recorder
) -> None:
    """The error holds the exit code and what the instance wrote; services before it are taken down again."""
    with pytest.raises(StartError, match=r"(?s)exit code 3.*\| no luck today"):
        await platform.up((worker(), api("--say", "no luck today", "--exit", "3")))
    assert platform.instances() == ()
    assert record.states("worker-1")[-1] == "stopped"


async def test_a_failed_job_stops_the_start(platform: LocalPlatform) -> None:
    """A job that ends with another code than 0 is a StartError with its log."""
    with pytest.raises(StartError, match=r"(?s)migrate failed with code 4.*\| bad schema"):
        await platform.up((job("--say", "bad schema", "--exit", "4"), worker()))
    assert platform.instances() == ()


async def test_an_instance_that_is_never_ready_is_an_error(platform: LocalPlatform) -> None:
    """The wait for readiness has the service's own limit."""
    mute = Service(name="mute", role="other", command=(*PROGRAM, "0"), ready=Ready(log="x", limit_s=0.5))
    with pytest.raises(StartError, match=r"not ready within 0\.5 s"):
        await platform.up((mute,))


async def test_a_program_that_does_not_exist_is_named(platform: LocalPlatform) -> None:
    """The message says which program can't be run."""
    lost = Service(name="lost", role="other", command=("/no/such/program",), ready=Ready(log="x"))
    with pytest.raises(StartError, match=r"/no/such/program can't be run"):
        await platform.up((lost,))


async def test_a_taken_port_names_its_holder(platform: LocalPlatform) -> None:
    """A fixed port in use is found before anything starts; the message says who has it and what to do."""
    with socket.socket() as holder:
        holder.bind(("127.0.0.1", 0))
        holder.listen()
        port = holder.getsockname()[1]
        with pytest.raises(StartError, match=rf"port {port}.*process {os.getpid()}.*PORT"):
            await platform.up((api(port=port),))
    await platform.up((api(port=port),))
    assert platform.api_url == f"http://127.0.0.1:{port}"


async def test_an_unknown_place_is_named(platform: LocalPlatform) -> None:
    """A field that nobody fills is an error that names it, not an empty value."""
    service = Service(name="s", role="other", command=PROGRAM, env={"X": "{database_url}"})
    with pytest.raises(StartError, match=r"X in the environment of s.*\{database_url\}"):
        await platform.up((service,))


async def test_the_environment_is_the_service_s_own(
    platform: LocalPlatform, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Fields are filled in, JSON is left alone, and the caller's variables do not reach the instance."""
    monkeypatch.setenv("CALLERS_SECRET", "x")
    env = {"A": "{instance} {witness_url}", "B": '{"json": {}}'}
    await platform.up((Service(name="s", role="other", command=(*PROGRAM, "0"), env=env),))
    seen = psutil.Process(pid_of(platform, "s-1")).environ()
    assert (seen["A"], seen["B"]) == ("s-1 http://w", '{"json": {}}')
    assert "CALLERS_SECRET" not in seen


async def test_logs_are_appended_with_a_line_per_start(platform: LocalPlatform, tmp_path: Path) -> None:
    """One file per instance holds the output of all its starts, each after a line that says so."""
    await platform.up((worker(replicas=1),))
    await platform.kill("worker-1")
    await platform.start("worker-1")
    text = (tmp_path / "logs" / "worker-1.log").read_text()
    assert re.findall(r"--- capsize: start (\d) of worker-1 .*---\n(.*)\n", text) == [
        ("1", "worker.ready"),
        ("2", "worker.ready"),
    ]


# ---------------------------------------------------------------- ending


async def test_down_while_starting(platform: LocalPlatform) -> None:
    """``down`` in the middle of ``up`` ends both, and ``up`` says why it failed."""
    rising = asyncio.create_task(platform.up((worker(), api("--start-delay", "600"))))
    await until(lambda: any(i.name == "api-1" for i in platform.instances()))
    place = platform.place
    await platform.down()
    with pytest.raises(StartError, match="taken down"):
        await rising
    assert not leaves_something(place)


async def test_a_cancelled_up_leaves_nothing(platform: LocalPlatform) -> None:
    """Cancelling ``up`` while the database is being made takes everything down before it returns."""
    need_postgres()
    rising = asyncio.create_task(platform.up((POSTGRES, api())))
    await until(lambda: platform.place is not None and belonging(platform.place))
    place = platform.place
    rising.cancel()
    with pytest.raises(asyncio.CancelledError):
        await rising
    assert not leaves_something(place)


async def test_down_goes_on_when_its_caller_is_cancelled(platform: LocalPlatform) -> None:
    """A second Ctrl-C does not leave half a stack."""
    await platform.up((worker("--ignore-term"),))
    place = platform.place
    ending = asyncio.create_task(platform.down())
    await asyncio.sleep(0.05)
    ending.cancel()
    with pytest.raises(asyncio.CancelledError):
        await ending
    assert not leaves_something(place)


SCRIPT = """
import asyncio, sys
sys.path.insert(0, {support!r})
from pathlib import Path
from support.tiny import POSTGRES, api, worker, Recorder
from capsize.core.clock import MonotonicClock
from capsize.platforms.local import LocalPlatform, pgbin

async def main():
    platform = LocalPlatform(Path(sys.argv[1]), Recorder(), MonotonicClock(), {{}})
    await platform.up((POSTGRES, api(), worker()))
    print(platform.place, await platform.query("select 1"), flush=True)
    if sys.argv[2] == "hold":
        await asyncio.sleep(600)
    await platform.down()

asyncio.run(main())
"""


NOBODY: dict[str, Any] = {"user": "nobody", "group": "nogroup", "extra_groups": [], "cwd": "/"}


def script(folder: Path, how: str, python: str = sys.executable, **options: Any) -> subprocess.Popen[str]:
    """Start a program that has a stack up."""
    text = SCRIPT.format(support=str(SUPPORT.parent))
    return subprocess.Popen(
        [python, "-c", text, str(folder / "logs"), how], stdout=subprocess.PIPE, text=True, **options
    )


def test_sigkill_of_capsize_leaves_no_process(tmp_path: Path) -> None:
    """Instances die with the process that holds them; what is left on the disk is found and can be removed."""
    need_postgres()
    holder = script(tmp_path, "hold")
    try:
        assert holder.stdout is not None
        place = Path(holder.stdout.readline().split(" ")[0])
        assert len(belonging(place)) > 5
    finally:
        holder.kill()
        holder.wait()
        holder.stdout.close() if holder.stdout else None
    limit = time.monotonic() + LIMIT_S
    while belonging(place) and time.monotonic() < limit:
        time.sleep(0.05)
    assert belonging(place) == []
    assert place in stale_places()


async def test_the_next_stack_removes_what_a_dead_one_left(platform: LocalPlatform, tmp_path: Path) -> None:
    """A folder whose owner is dead is removed by the next ``up``; that of a living one is not."""
    need_postgres()
    holder = script(tmp_path, "hold")
    assert holder.stdout is not None
    place = Path(holder.stdout.readline().split(" ")[0])
    await platform.up((worker(),))
    assert leaves_something(place)
    await platform.down()
    holder.kill()
    holder.wait()
    holder.stdout.close()
    await platform.up((worker(),))
    assert not leaves_something(place)


@pytest.mark.skipif(os.geteuid() != 0, reason="only root can become another user")
def test_it_works_as_an_ordinary_user() -> None:
    """An ordinary user has PostgreSQL, API and workers up and down again with the same code."""
    need_postgres()
    python = python_for_everybody()
    made = subprocess.run(["mktemp", "-d"], stdout=subprocess.PIPE, text=True, check=True, **NOBODY)
    folder = Path(made.stdout.strip())
    libraries = {
        "PYTHONPATH": os.pathsep.join(path for path in sys.path if path),
        "PYTHONDONTWRITEBYTECODE": "1",
    }
    run = script(folder, "end", python=python, env=os.environ | libraries, stderr=subprocess.PIPE, **NOBODY)
    output, errors = run.communicate(timeout=LIMIT_S)
    subprocess.run(["rm", "-r", str(folder)], check=True, **NOBODY)
    assert run.returncode == 0, errors
    assert "{'?column?': 1}" in output


def python_for_everybody() -> str:
    """Return a Python of this version that every user can run; skip when this machine has none."""
    version = f"python{sys.version_info.major}.{sys.version_info.minor}"
    for found in (sys.executable, f"/usr/bin/{version}", f"/usr/local/bin/{version}"):
        path = Path(found).resolve()
        if path.exists() and all(folder.stat().st_mode & 0o001 for folder in path.parents):
            return found
    pytest.skip(f"every {version} here lies in a folder that is closed to other users")
