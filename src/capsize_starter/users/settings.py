"""Settings of users and their sessions."""

from dataclasses import dataclass

from capsize_starter.settings import SettingsError


@dataclass(frozen=True)
class UserSettings:
    """How passwords are hashed, how long tokens hold, how many logins may fail."""

    argon2_time_cost: int = 3
    argon2_memory_kib: int = 65536
    argon2_parallelism: int = 4
    argon2_threads: int = 2
    """How many passwords are hashed at once."""
    argon2_queue: int = 64
    """How many more may wait; beyond that logins are refused with 503."""
    token_ttl_s: float = 3600.0
    refresh_ttl_s: float = 30 * 86400.0
    token_cache_s: float = 5.0
    """How long this process trusts a token it has looked up; 0 looks up each time."""
    login_window_s: float = 900.0
    login_account_max: int = 10
    """Failed logins of one account within a window before it is refused."""
    login_address_max: int = 100
    """Failed logins from one address within a window before it is refused."""

    def __post_init__(self) -> None:
        for name in ("argon2_time_cost", "argon2_parallelism", "argon2_threads", "login_account_max"):
            if getattr(self, name) < 1:
                raise SettingsError(f"STARTER_{name.upper()} must be at least 1.")
        if self.argon2_memory_kib < 8 * self.argon2_parallelism:
            raise SettingsError("STARTER_ARGON2_MEMORY_KIB must be at least 8 per lane of parallelism.")
        if not 0 < self.token_ttl_s <= self.refresh_ttl_s:
            raise SettingsError("STARTER_TOKEN_TTL_S must be above 0 and at most STARTER_REFRESH_TTL_S.")
