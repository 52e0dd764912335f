"""What the users package refuses; each exception's docstring says what it means."""


class UserError(Exception):
    """The base of this package's own errors."""


class EmailTaken(UserError):
    """A user with this email address exists."""


class BadCredentials(UserError):
    """The email address is unknown or the password is wrong; which, is not told."""


class BadRefreshToken(UserError):
    """The refresh token is unknown, expired, spent, or its session has ended."""


class Unauthenticated(UserError):
    """The access token is unknown or expired, or its session has ended."""


class TooManyAttempts(UserError):
    """Too many logins failed for this account or from this address; wait `retry_after_s`."""

    def __init__(self, retry_after_s: float) -> None:
        super().__init__(f"Too many failed logins. Try again in {retry_after_s:.0f} s.")
        self.retry_after_s = retry_after_s


class HasherBusy(UserError):
    """Too many passwords are being checked at once."""
