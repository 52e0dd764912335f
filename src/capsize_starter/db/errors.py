"""What can go wrong with the database, told apart by what the caller can do about it."""

import asyncpg


class DatabaseError(Exception):
    """The base of this package's own errors."""


class Unavailable(DatabaseError):
    """PostgreSQL can't be reached or did not answer in time. The statement may or may not have taken effect."""


# SQLSTATE classes and codes that say nothing about the statement, only that this server can't serve it now.
_CLASSES = ("08", "53", "57P", "58")
_CODES = {
    "25006",  # read-only: a standby after a failover
    "25P03",  # idle in transaction for too long
    "57014",  # statement timeout
    "55P03",  # lock timeout
}


def is_outage(error: BaseException) -> bool:
    """Whether an error means that the server is away or overloaded, and not that the statement is wrong."""
    if isinstance(error, asyncpg.PostgresError):
        state = str(error.sqlstate or "")
        return state in _CODES or state.startswith(_CLASSES)
    if isinstance(error, asyncpg.InternalClientError):
        return True
    if isinstance(error, asyncpg.InterfaceError):
        return "clos" in str(error)
    return isinstance(error, OSError | TimeoutError | EOFError)
