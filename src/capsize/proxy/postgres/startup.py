"""What a client says first: encryption, a cancel request, or the beginning of a session."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from capsize.proxy.postgres import wire

if TYPE_CHECKING:
    from capsize.proxy.postgres.session import Session

NOT_POSTGRES = "not PostgreSQL"


@dataclass(frozen=True, slots=True)
class Step:
    """What the first bytes were: a message of ``size`` bytes, or too little yet (``wait``)."""

    size: int = 0
    wait: bool = False
    negotiate: str = ""
    opaque: str = ""


class Startup:
    """Reads packets without a type code until the session begins."""

    def __init__(self, session: Session) -> None:
        self._session = session

    def step(self, data: bytes) -> Step:
        """Tell what the data begins with."""
        if not plausible(data):
            return Step(opaque=NOT_POSTGRES)
        if len(data) < 8:
            return Step(wait=True)
        length, code = wire.STARTUP.unpack_from(data)
        if code == wire.SSL_REQUEST:
            return Step(size=8, negotiate="TLS")
        if code == wire.GSS_REQUEST:
            return Step(size=8, negotiate="GSS encryption")
        if code == wire.CANCEL_REQUEST:
            return Step(opaque="cancel request")
        if code >> 16 != wire.PROTOCOL_MAJOR:
            return Step(opaque=NOT_POSTGRES)
        return Step(size=length) if len(data) >= length else Step(wait=True)


def plausible(data: bytes) -> bool:
    """Return whether bytes can be the beginning of a PostgreSQL connection."""
    if data[:2] != b"\0\0"[: len(data)]:
        return False
    return len(data) < 4 or 8 <= int.from_bytes(data[:4], "big") <= wire.STARTUP_BYTES_MAX
