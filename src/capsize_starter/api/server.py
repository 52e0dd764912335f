"""The server process: bind first, import then, serve, stop cleanly."""

import contextlib
import gc
import os
import signal
import socket
import sys
from collections.abc import Iterator
from typing import TYPE_CHECKING, Any

from capsize_starter import log as logs
from capsize_starter.api.settings import ApiSettings
from capsize_starter.settings import ServerSettings, load

if TYPE_CHECKING:
    from types import FrameType

BACKLOG = 2048

log = logs.EventLog("starter.api")


def serve() -> int:
    """Serve until SIGTERM or SIGINT; 0 after a clean stop, 1 when the port can't be had."""
    settings = load(ServerSettings)
    limits = load(ApiSettings)
    logs.configure(settings.log_level)
    # Until the event loop takes the signals over there is nothing to finish.
    for number in (signal.SIGTERM, signal.SIGINT):
        signal.signal(number, _leave)
    try:
        listener = bind(settings.host, settings.port)
    except OSError as error:
        print(
            f"capsize-starter: can't listen on {settings.host}:{settings.port}: {error.strerror or error}. "
            "Set HOST and PORT, or end what listens there.",
            file=sys.stderr,
        )
        return 1
    with _no_garbage_collection():
        server = _make_server(limits)
    server.run(sockets=[listener])
    log.info("server.stopped")
    return 0


def bind(host: str, port: int) -> socket.socket:
    """A socket that already listens: from now on clients wait instead of being refused."""
    family, kind, protocol, _, address = socket.getaddrinfo(
        host, port, type=socket.SOCK_STREAM, flags=socket.AI_PASSIVE
    )[0]
    listener = socket.socket(family, kind, protocol)
    try:
        # Without it a restart would fail while connections of the last process linger in TIME_WAIT.
        listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        listener.bind(address)
        listener.listen(BACKLOG)
    except OSError:
        listener.close()
        raise
    listener.setblocking(False)
    return listener


def _make_server(limits: ApiSettings) -> Any:
    import asyncio

    import uvicorn

    from capsize_starter.api.app import build

    class Server(uvicorn.Server):
        """Uvicorn, except that SIGTERM is an ordinary end with exit code 0 and readiness is logged."""

        @contextlib.contextmanager
        def capture_signals(self) -> Iterator[None]:
            loop = asyncio.get_running_loop()
            for number in (signal.SIGTERM, signal.SIGINT):
                loop.add_signal_handler(number, self.handle_exit, number, None)
            yield

        async def startup(self, sockets: list[socket.socket] | None = None) -> None:
            await super().startup(sockets)
            for listener in sockets or []:
                host, port = listener.getsockname()[:2]
                log.info("server.listening", host=host, port=port)

    config = uvicorn.Config(
        build(),
        loop="uvloop",
        http="httptools",
        ws="none",
        lifespan="on",
        interface="asgi3",
        log_config=None,
        log_level="warning",
        access_log=False,
        server_header=False,
        # The address of a login attempt counts; a header that anybody can send must not change it.
        proxy_headers=False,
        backlog=BACKLOG,
        timeout_keep_alive=limits.keep_alive_s,  # type: ignore[arg-type]  # any number of seconds will do
        timeout_graceful_shutdown=limits.server_grace_s,  # type: ignore[arg-type]
    )
    return Server(config)


@contextlib.contextmanager
def _no_garbage_collection() -> Iterator[None]:
    """Imports and route tables make many objects and no garbage; collecting them costs a tenth of the start."""
    gc.disable()
    try:
        yield
    finally:
        gc.freeze()
        gc.enable()


def _leave(number: int, frame: "FrameType | None") -> None:
    # Not SystemExit: raised inside a callback that an import runs, it would be printed and forgotten there.
    os._exit(0)
