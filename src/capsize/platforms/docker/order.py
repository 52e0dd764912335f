"""How the container of an instance is made, as data, and put into the engine's words."""

from __future__ import annotations

import json
from dataclasses import dataclass, field
from typing import Any

from capsize.platforms.local.looks import Look

LOG_BYTES_MAX = "64m"
HEALTH_EVERY_S = 5
NS = 1_000_000_000
CPU_PERIOD_US = 100_000


@dataclass(frozen=True)
class Order:
    """One container. ``publish`` are its port inside and the port on loopback by which it is reached from here.

    ``health`` is a command that tells the engine whether it is well; capsize looks for itself, much more often.
    ``cpu`` are cores, ``memory`` bytes. ``volume`` is a named volume and where it is mounted.
    """

    name: str
    image: str
    network: str
    aliases: tuple[str, ...]
    labels: dict[str, str]
    look: Look
    command: tuple[str, ...] = ()
    env: dict[str, str] = field(default_factory=dict)
    publish: tuple[int, int] | None = None
    volume: tuple[str, str] | None = None
    health: tuple[str, ...] = ()
    cpu: float | None = None
    memory: int | None = None
    stop_signal: str = "SIGTERM"
    stop_grace_s: float = 10.0
    ready_limit_s: float = 30.0
    restart: bool = True
    own_entry: bool = False
    """Whether the image's entry point is kept; else the command is all."""
    mounts: dict[str, str] = field(default_factory=dict)
    """Volumes of the run by the folders where they are; a folder without one gets a volume of its own."""
    more: dict[str, Any] = field(default_factory=dict)
    """Further arguments, as they are."""

    def spoken(self, cpus_max: float) -> dict[str, Any]:
        """Return the arguments of ``containers.create``. More cores than the engine has would be refused."""
        from docker.types import EndpointConfig, Healthcheck, LogConfig

        words: dict[str, Any] = {
            "image": self.image,
            "command": list(self.command),
            "name": self.name,
            "environment": self.env,
            "labels": self.labels,
            "network": self.network,
            "networking_config": {self.network: EndpointConfig("1.41", aliases=list(self.aliases))},
            # A name that is not there now, since its container is down, is not asked for outside.
            "dns_opt": ["ndots:1"],
            "log_config": LogConfig(
                type="json-file", config={"max-size": LOG_BYTES_MAX, "max-file": "2", "compress": "false"}
            ),
            "restart_policy": {"Name": "unless-stopped" if self.restart else "no"},
            "stop_signal": self.stop_signal,
            "security_opt": ["no-new-privileges"],
        }
        if not self.own_entry:
            words["entrypoint"] = ""
        if self.publish is not None:
            words["ports"] = {f"{self.publish[0]}/tcp": ("127.0.0.1", self.publish[1])}
        if self.volume is not None:
            words["volumes"] = {self.volume[0]: {"bind": self.volume[1], "mode": "rw"}}
        elif self.mounts:
            words["volumes"] = [f"{name}:{at}" if name else at for at, name in self.mounts.items()]
        if self.health:
            words["healthcheck"] = Healthcheck(
                test=["CMD", *self.health], interval=HEALTH_EVERY_S * NS, timeout=3 * NS, retries=3
            )
        if self.cpu is not None:
            # A quota and not "nano_cpus", which could not be changed any more while it runs.
            words |= {"cpu_period": CPU_PERIOD_US, "cpu_quota": int(min(self.cpu, cpus_max) * CPU_PERIOD_US)}
        if self.memory is not None:
            # No swap beside it: a service that needs more is to die of it, not to crawl.
            words |= {"mem_limit": self.memory, "memswap_limit": self.memory}
        return words | self.more


def http_health(port: int, path: str) -> tuple[str, ...]:
    """Return a command that is content when a path inside the container answers 2xx; for images with Python."""
    url = json.dumps(f"http://127.0.0.1:{port}{path}")
    return ("python3", "-S", "-c", f"import urllib.request as r; r.urlopen({url}, timeout=2)")
