"""Services made of ``tiny_api.py``, for tests of platforms and faults."""

from __future__ import annotations

from pathlib import Path

from capsize.core.events import Event, InstanceChanged
from capsize.core.platform import Ready, Service

PROGRAM = ("{python}", str(Path(__file__).with_name("tiny_api.py")))

POSTGRES = Service(name="postgres", role="database")


def api(*options: str, port: int = 0, grace_s: float = 10.0) -> Service:
    """Return an API that answers every GET with its process number."""
    return Service(
        name="api",
        role="api",
        command=(*PROGRAM, "{port}", "--host", "{host}", *options),
        port=port,
        ready=Ready(http="/", limit_s=20.0),
        stop_grace_s=grace_s,
    )


def worker(*options: str, replicas: int = 2, restart: bool = True) -> Service:
    """Return workers that do nothing but say that they are ready."""
    return Service(
        name="worker",
        role="worker",
        command=(*PROGRAM, "0", "--say", "worker.ready", *options),
        replicas=replicas,
        ready=Ready(log="worker.ready", limit_s=20.0),
        restart=restart,
    )


def job(*options: str) -> Service:
    """Return a program that ends by itself, with code 0 unless told otherwise."""
    return Service(name="migrate", role="job", command=(*PROGRAM, "0", *(options or ("--exit", "0"))))


class Recorder:
    """Takes events down, as the journal does."""

    def __init__(self) -> None:
        self.events: list[Event] = []

    def __call__(self, event: Event) -> None:
        """Take one event down."""
        self.events.append(event)

    def states(self, instance: str) -> list[str]:
        """Return the states that an instance went through."""
        return [change.state for change in self.changes(instance)]

    def changes(self, instance: str) -> list[InstanceChanged]:
        """Return all that happened to an instance."""
        return [e for e in self.events if isinstance(e, InstanceChanged) and e.instance == instance]

    def codes(self, instance: str) -> list[int]:
        """Return the exit codes of an instance, in order."""
        return [e.code for e in self.changes(instance) if e.code is not None]
