"""The starter's queue beside pgqueuer, Procrastinate, taskiq and Celery: ratios of one run.

    benchmarks/.venv/bin/python benchmarks/queue.py [--systems a,b] [--scale 1.0] [--rounds 3]

For each system: tasks/s enqueued through its bulk interface (where it has one), no-op tasks/s executed by two worker
processes that start on a full queue, from the first run to the last, and the time from the call that submits a task
to the first line of its handler, one task at a time on two idle workers and an empty queue. PostgreSQL with its default durability and a
redis-server of its own; both are started here and ended here.

What is executed is not the same everywhere: the starter and pgqueuer keep a task until its result is committed,
Procrastinate too; taskiq's list broker and Celery with its default early acknowledgement lose what a killed worker
held.
"""

import sys
from pathlib import Path

# This file's name is that of a module of the standard library, which everything imported below needs.
sys.path = [entry for entry in sys.path if Path(entry or ".").resolve() != Path(__file__).resolve().parent]

import argparse  # noqa: E402
import asyncio  # noqa: E402
import contextlib  # noqa: E402
import importlib.util  # noqa: E402
import os  # noqa: E402
import signal  # noqa: E402
import socket  # noqa: E402
import subprocess  # noqa: E402
import tempfile  # noqa: E402
import time  # noqa: E402
from collections.abc import Iterator  # noqa: E402

HERE = Path(__file__).resolve().parent
TASKS = {"starter": 200_000, "pgqueuer": 60_000, "procrastinate": 4_000, "taskiq": 40_000, "celery": 8_000}
PROBES = 300
WARM_UP = 60
LIMIT_S = 180.0


def _load(name: str, path: Path):  # type: ignore[no-untyped-def]
    spec = importlib.util.spec_from_file_location(name, path)
    assert spec is not None  # noqa: S101
    assert spec.loader is not None  # noqa: S101
    module = importlib.util.module_from_spec(spec)
    sys.modules[name] = module
    spec.loader.exec_module(module)
    return module


@contextlib.contextmanager
def postgres(folder: Path) -> Iterator[str]:
    """A PostgreSQL server for one system."""
    tests = HERE.parent / "tests" / "integration" / "starter"
    server = _load("starter_postgres", tests / "starter_postgres.py").Postgres(folder)
    server.create()
    try:
        yield server.url
    finally:
        server.stop()


@contextlib.contextmanager
def redis(folder: Path) -> Iterator[str]:
    """A Redis server for one system, with its default durability."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port = probe.getsockname()[1]
    folder.mkdir()
    process = subprocess.Popen(
        ["redis-server", "--port", str(port), "--bind", "127.0.0.1", "--dir", str(folder)],
        stdout=subprocess.DEVNULL,
    )
    try:
        while subprocess.run(["redis-cli", "-p", str(port), "ping"], capture_output=True).returncode:
            time.sleep(0.02)
        yield f"redis://127.0.0.1:{port}/0"
    finally:
        process.terminate()
        process.wait()


@contextlib.contextmanager
def workers(system: str, command_lines: list[list[str]], folder: Path) -> Iterator[None]:
    """The worker processes of a system, ended with their process groups."""
    folder.mkdir()
    (folder / "queue_systems.py").write_bytes((HERE / "queue_systems.py").read_bytes())
    env = {**os.environ, "BENCH_FOLDER": str(folder), "PYTHONPATH": ""}
    with (folder / "workers.log").open("ab") as log:
        started = [
            # In a folder with a copy: the benchmark's own has a queue.py that would hide the standard one.
            subprocess.Popen(line, env=env, cwd=folder, stdout=log, stderr=log, start_new_session=True)
            for line in command_lines
        ]
    try:
        yield
    finally:
        for process in started:
            os.killpg(process.pid, signal.SIGTERM)
        for process in started:
            try:
                process.wait(10)
            except subprocess.TimeoutExpired:
                os.killpg(process.pid, signal.SIGKILL)
                process.wait()


async def measure(system: str, scale: float, folder: Path) -> tuple[float, float, float, float]:
    """Enqueued per second, executed per second, pick-up p50 and p99 in seconds."""
    systems = _load("queue_systems", HERE / "queue_systems.py")
    total = max(1000, int(TASKS[system] * scale) // 1000 * 1000)
    send, send_many = await systems.PRODUCERS[system]()
    latencies = await pick_up(systems, system, send, folder / "idle")
    began = time.monotonic()
    await send_many(total)
    enqueued = total / (time.monotonic() - began)
    with workers(system, systems.commands(system), folder / "full"):
        tallies = await wait_for(systems, folder / "full", total)
    executed = total / (max(t[2] for t in tallies) - min(t[1] for t in tallies))
    return enqueued, executed, latencies[len(latencies) // 2], latencies[int(len(latencies) * 0.99)]


async def pick_up(systems, system: str, send, folder: Path) -> list[float]:  # type: ignore[no-untyped-def]
    """The sorted latencies of tasks sent one at a time to idle workers, without those that warmed them up."""
    with workers(system, systems.commands(system), folder):
        for number in range(1, WARM_UP + PROBES + 1):
            await send(time.monotonic())
            if number <= WARM_UP:
                await wait_for(systems, folder, number)
            await asyncio.sleep(0.01)
            if number == WARM_UP:
                before = {path: tally[0] for path, tally in read_all(systems, folder).items()}
        await wait_for(systems, folder, WARM_UP + PROBES)
        return sorted(latest(systems, folder, before))


async def wait_for(systems, folder: Path, total: int) -> list[tuple[int, float, float, list[float]]]:  # type: ignore[no-untyped-def]
    """Wait until all workers together have run so many tasks."""
    deadline = time.monotonic() + LIMIT_S
    while True:
        tallies = list(read_all(systems, folder).values())
        if sum(tally[0] for tally in tallies) >= total:
            return [tally for tally in tallies if tally[0]]
        if time.monotonic() > deadline:
            raise SystemExit(f"{tallies} of {total}\n{(folder / 'workers.log').read_text()[-3000:]}")
        await asyncio.sleep(0.1)


def latest(systems, folder: Path, before: dict[Path, int]) -> list[float]:  # type: ignore[no-untyped-def]
    """The latencies of the runs since `before`, from the ring of each worker."""
    found = []
    for path, (count, _, _, ring) in read_all(systems, folder).items():
        found += [ring[n % systems.SLOTS] for n in range(before.get(path, 0), count)]
    return found


def read_all(systems, folder: Path):  # type: ignore[no-untyped-def]
    """What each worker process has noted, by its file."""
    return {path: systems.Tally(path).read() for path in folder.glob("*.tally")}


def main() -> None:
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("--systems", default=",".join(TASKS))
    parser.add_argument("--scale", type=float, default=1.0, help="fewer or more tasks than usual")
    parser.add_argument("--rounds", type=int, default=3, help="of which each system's best figures count")
    arguments = parser.parse_args()
    rounds = [
        {system: isolated(system, arguments.scale) for system in arguments.systems.split(",")}
        for _ in range(arguments.rounds)
    ]
    # Whatever else the machine does can only make a system look worse, so each one's best round counts.
    rows = {
        system: tuple(
            best(measured[system][column] for measured in rounds)
            for column, best in enumerate((max, max, min, min))
        )
        for system in rounds[0]
    }
    own = rows.get("starter")
    print("| queue | enqueued/s | executed/s | starter is faster by | pick-up p50 | p99 |")
    print("| --- | ---: | ---: | ---: | ---: | ---: |")
    for system, (enqueued, executed, p50, p99) in rows.items():
        ratio = f"{own[1] / executed:.1f}x" if own else ""
        print(
            f"| {system} | {enqueued:,.0f} | {executed:,.0f} | {ratio} | {p50 * 1000:.2f} ms | {p99 * 1000:.2f} ms |"
        )


def isolated(system: str, scale: float) -> tuple[float, float, float, float]:
    """Measure one system on a server of its own."""
    with tempfile.TemporaryDirectory() as name, contextlib.ExitStack() as stack:
        folder = Path(name)
        folder.chmod(0o755)
        if system in {"taskiq", "celery"}:
            os.environ["BENCH_REDIS"] = stack.enter_context(redis(folder / "redis"))
        else:
            os.environ["BENCH_POSTGRES"] = stack.enter_context(postgres(folder / "pg"))
        import uvloop

        with asyncio.Runner(loop_factory=uvloop.new_event_loop) as runner:
            result = runner.run(measure(system, scale, folder))
    print(
        f"{system}: {result[0]:,.0f} enqueued/s, {result[1]:,.0f} executed/s, pick-up {result[2] * 1000:.2f} ms",
        file=sys.stderr,
        flush=True,
    )
    return result


if __name__ == "__main__":
    main()
