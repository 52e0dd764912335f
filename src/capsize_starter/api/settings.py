"""Settings of the API itself."""

from dataclasses import dataclass

from capsize_starter.settings import SettingsError


@dataclass(frozen=True)
class ApiSettings:
    """Limits of the HTTP server; sizes in bytes."""

    body_max: int = 1 << 20
    body_timeout_s: float = 10.0
    """A request body must be there within this time."""
    keep_alive_s: float = 75.0
    """An idle connection is closed after this time."""
    server_grace_s: float = 10.0
    """After SIGTERM, requests under way have so long to finish."""
    health_timeout_s: float = 1.0
    """A database that takes longer to answer a health check counts as away."""
    database_s: float = 1.8
    """All that one request may wait for the database, however many statements it needs."""

    def __post_init__(self) -> None:
        for name in (
            "body_max",
            "body_timeout_s",
            "keep_alive_s",
            "server_grace_s",
            "health_timeout_s",
            "database_s",
        ):
            if getattr(self, name) <= 0:
                raise SettingsError(f"STARTER_{name.upper()} must be above 0.")
