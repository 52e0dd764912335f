"""The HTTP API of the starter.

The imports are inside the functions on purpose: the server binds its port before it spends a third of a second
on importing the framework, so clients wait for their answer instead of being refused.
"""

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from fastapi import FastAPI


def create_app() -> "FastAPI":
    """The application, with its settings from the environment; nothing is connected to yet."""
    from capsize_starter.api.app import build

    return build()


def run_server() -> int:
    """Serve until SIGTERM or SIGINT and return the exit code."""
    from capsize_starter.api.server import serve

    return serve()


__all__ = ["create_app", "run_server"]
