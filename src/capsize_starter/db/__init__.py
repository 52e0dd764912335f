"""PostgreSQL for the starter: a pool that survives outages, named queries, migrations."""

from capsize_starter.db.errors import DatabaseError, Unavailable
from capsize_starter.db.listener import Listener
from capsize_starter.db.migrate import migrate
from capsize_starter.db.pool import Connection, Database, allowance
from capsize_starter.db.sqlfile import Queries, load_queries

__all__ = [
    "Connection",
    "Database",
    "DatabaseError",
    "Listener",
    "Queries",
    "Unavailable",
    "allowance",
    "load_queries",
    "migrate",
]
