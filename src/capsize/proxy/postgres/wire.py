"""The frontend/backend protocol 3: codes, limits, and the few messages that the proxy makes itself."""

from __future__ import annotations

import struct
from typing import NamedTuple

SSL_REQUEST = 80877103
GSS_REQUEST = 80877104
CANCEL_REQUEST = 80877102
PROTOCOL_MAJOR = 3
STARTUP_BYTES_MAX = 10_000
STATEMENT_BYTES_MAX = 64 * 1024
NAME_BYTES_MAX = 1024
ERROR_BYTES_MAX = 64 * 1024

HEAD = struct.Struct("!BI")
STARTUP = struct.Struct("!II")

QUERY, PARSE, BIND, EXECUTE = b"QPBE"
SYNC, FLUSH, CLOSE, FUNCTION_CALL = b"SHCF"
COPY_DONE, COPY_FAIL = b"cf"
READY, COMMAND_COMPLETE, EMPTY_QUERY, SUSPENDED, ERROR = b"ZCIsE"
COPY_IN, COPY_BOTH, AUTHENTICATION = b"GWR"
CONVERSES = frozenset((COPY_IN, COPY_BOTH, AUTHENTICATION))
"""The server's messages that the client must answer before the command can end: they are never withheld."""


class _Codes:
    unknown = -1


def _table() -> tuple[int, ...]:
    look = [_Codes.unknown] * 256
    # Describe, Terminate, password and SASL answers, copy data: only their length matters.
    for kind in b"DXpd":
        look[kind] = 0
    for kind in (SYNC, FLUSH, FUNCTION_CALL, COPY_DONE, COPY_FAIL):
        look[kind] = 5
    for kind in (QUERY, PARSE):
        look[kind] = STATEMENT_BYTES_MAX
    for kind in (BIND, EXECUTE, CLOSE):
        look[kind] = NAME_BYTES_MAX
    return tuple(look)


LOOK = _table()
"""By the code of a client's message: how many of its bytes must be seen; -1 is no message of the protocol."""

BACKEND = frozenset(b"123ACDEGHIKNRSTVWZcdnstv")
"""The codes of the server's messages."""


class Refusal(NamedTuple):
    """An error as the client is to see it. ``fatal`` ends the connection, as the server's own FATAL does."""

    sqlstate: str
    message: str
    fatal: bool


def error_response(refusal: Refusal) -> bytes:
    """Return an ErrorResponse."""
    severity = "FATAL" if refusal.fatal else "ERROR"
    fields = f"S{severity}\0V{severity}\0C{refusal.sqlstate}\0M{refusal.message}\0Rcapsize\0\0".encode()
    return b"E" + (len(fields) + 4).to_bytes(4, "big") + fields


def failing(kind: int, marker: str) -> bytes:
    """Return a message of the same kind that the server will refuse with an error that names the marker.

    So the server itself puts the transaction into the failed state, skips to the Sync and answers in order.
    """
    body = marker.encode() + b"\0"
    if kind == EXECUTE:
        body += b"\0\0\0\0"
    return bytes((kind,)) + (len(body) + 4).to_bytes(4, "big") + body
