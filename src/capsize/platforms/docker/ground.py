"""What a run stands on: its network and volumes, how they are made, and how everything of a run is cleared away."""

from __future__ import annotations

import socket
from contextlib import suppress
from typing import TYPE_CHECKING, Any

from capsize.core.errors import StartError
from capsize.platforms.docker.engine import EngineError, spoken
from capsize.platforms.docker.marks import RUN, Marks, is_stale

if TYPE_CHECKING:
    import docker


def make_network(client: docker.DockerClient, marks: Marks) -> str:
    """Make the run's bridge network and return the address that this machine has on it. Blocks. Raises StartError."""
    try:
        network = spoken(client.networks.create, marks.name(), driver="bridge", labels=marks.labels)
        spoken(network.reload)
    except EngineError as error:
        raise StartError(f"the network of the run can't be made: {error}") from error
    gateway = next((c["Gateway"] for c in network.attrs["IPAM"]["Config"] if c.get("Gateway")), None)
    if gateway is None or not _is_ours(gateway):
        raise StartError(
            f"the engine's network has the gateway {gateway}, which is no address of this machine: containers could not "
            "reach capsize. Use an engine that runs on this machine itself, or --platform local"
        )
    return str(gateway)


def clear(client: docker.DockerClient, label: str) -> None:
    """Remove all containers, then all networks and volumes with a label. Blocks. Raises EngineError for what stays."""
    filters = {"label": label}
    for container in spoken(client.containers.list, all=True, filters=filters, ignore_removed=True):
        _gone(container.remove, force=True, v=True)
    for network in spoken(client.networks.list, filters=filters):
        _gone(network.remove)
    for volume in spoken(client.volumes.list, filters=filters):
        _gone(volume.remove, force=True)


def clear_stale(client: docker.DockerClient) -> None:
    """Remove what runs left whose process is dead. Blocks. What can't be removed is no reason not to start."""
    with suppress(EngineError):
        found: list[dict[str, str]] = [
            *(
                c.labels
                for c in spoken(client.containers.list, all=True, filters={"label": RUN}, ignore_removed=True)
            ),
            *(n.attrs.get("Labels") or {} for n in spoken(client.networks.list, filters={"label": RUN})),
            *(v.attrs.get("Labels") or {} for v in spoken(client.volumes.list, filters={"label": RUN})),
        ]
        for run in sorted({labels[RUN] for labels in found if is_stale(labels)}):
            clear(client, f"{RUN}={run}")


def _gone(remove: Any, **how: Any) -> None:
    """Remove one thing; it may be gone, or going, already."""
    from docker.errors import NotFound

    try:
        spoken(remove, **how)
    except EngineError as error:
        if not isinstance(error.__cause__, NotFound) and "already in progress" not in str(error):
            raise


def _is_ours(address: str) -> bool:
    with socket.socket() as probe:
        try:
            probe.bind((address, 0))
        except OSError:
            return False
    return True
