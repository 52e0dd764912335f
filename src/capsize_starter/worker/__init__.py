"""The worker: claims tasks, runs their handlers under leases, records what came of it."""

from capsize_starter.worker.service import Worker, serve

__all__ = ["Worker", "serve"]
