"""Users of the starter: passwords, sessions, and the limit on logins."""

from capsize_starter.users.errors import (
    BadCredentials,
    BadRefreshToken,
    EmailTaken,
    HasherBusy,
    TooManyAttempts,
    Unauthenticated,
    UserError,
)
from capsize_starter.users.settings import UserSettings
from capsize_starter.users.tokens import Identity
from capsize_starter.users.users import Session, User, Users

__all__ = [
    "BadCredentials",
    "BadRefreshToken",
    "EmailTaken",
    "HasherBusy",
    "Identity",
    "Session",
    "TooManyAttempts",
    "Unauthenticated",
    "User",
    "UserError",
    "UserSettings",
    "Users",
]
