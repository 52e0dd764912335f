"""The PostgreSQL of a run in a container: how it is made, and its addresses from here and from the network."""

from __future__ import annotations

import secrets
from dataclasses import dataclass, field

from capsize.core.platform import Service
from capsize.platforms.docker.marks import Marks
from capsize.platforms.docker.order import Order
from capsize.platforms.local.looks import postgres_answers
from capsize.platforms.local.ports import HOST
from capsize.platforms.local.postgres import APP_USER, DATABASE, SETTINGS, SUPERUSER, connect

PORT = 5432
HOME = "/var/lib/postgresql"
OWN_SETTINGS = {"listen_addresses": "*", "unix_socket_directories": "/tmp", "fsync": "off"}
INITDB = "--no-sync --data-checksums -E UTF8 --locale=C --locale-provider=builtin --builtin-locale=C.UTF-8"


@dataclass
class Database:
    """One database cluster on a volume of the run. ``env`` of the service overrides the settings."""

    service: Service
    name: str
    port: int
    marks: Marks
    password: str = field(default_factory=lambda: secrets.token_hex(16))
    superpassword: str = field(default_factory=lambda: secrets.token_hex(16))

    @property
    def url(self) -> str:
        """Return the address for the service's user, who is no superuser, from this machine."""
        return f"postgresql://{APP_USER}:{self.password}@{HOST}:{self.port}/{DATABASE}"

    @property
    def url_inside(self) -> str:
        """Return the same from a container of the run."""
        return f"postgresql://{APP_USER}:{self.password}@{self.name}:{PORT}/{DATABASE}"

    @property
    def super_url(self) -> str:
        """Return the address for the superuser, from this machine."""
        return f"postgresql://{SUPERUSER}:{self.superpassword}@{HOST}:{self.port}/{DATABASE}"

    @property
    def volume(self) -> str:
        """Return the name of its volume."""
        return self.marks.name(f"{self.name}-data")

    def order(self, image: str) -> Order:
        """Return how its container is made."""
        own = self.service.container
        settings = SETTINGS | OWN_SETTINGS | self.service.env
        return Order(
            name=self.marks.name(self.name),
            image=self.service.image or image,
            network=self.marks.name(),
            aliases=(self.name, self.service.name, *(own.names if own else ())),
            labels=self.marks.of(self.name, self.service.name),
            look=postgres_answers(self.port, SUPERUSER, DATABASE),
            command=("postgres", *(part for item in settings.items() for part in ("-c", "=".join(item)))),
            env={
                "POSTGRES_USER": SUPERUSER,
                "POSTGRES_PASSWORD": self.superpassword,
                "POSTGRES_DB": DATABASE,
                "POSTGRES_INITDB_ARGS": INITDB,
                "PGDATA": f"{HOME}/capsize",
            },
            publish=(PORT, self.port),
            volume=(self.volume, HOME),
            health=("pg_isready", "-h", "127.0.0.1", "-U", SUPERUSER, "-d", DATABASE),
            cpu=self.service.cpu,
            memory=self.service.memory,
            # Its "fast shutdown". SIGTERM would wait until the last client has gone by itself.
            stop_signal="SIGINT",
            stop_grace_s=self.service.stop_grace_s,
            ready_limit_s=self.service.ready.limit_s,
            restart=self.service.restart,
            own_entry=True,
        )

    async def give(self) -> None:
        """Make the service's user and give it the database."""
        connection = await connect(self.super_url)
        try:
            await connection.execute(
                f"create role {APP_USER} login password '{self.password}'; "
                f"alter database {DATABASE} owner to {APP_USER}"
            )
        finally:
            await connection.close()
