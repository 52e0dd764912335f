"""Every error that the control API answers, with its status: one table."""

from __future__ import annotations

from capsize.core.errors import CapsizeError


class ApiError(CapsizeError):
    """A request that can't be carried out; ``status`` is the HTTP status it is answered with."""

    def __init__(self, status: int, text: str) -> None:
        super().__init__(text)
        self.status = status

    def because(self, detail: object) -> ApiError:
        """Return the same error with what exactly was wrong."""
        return ApiError(self.status, f"{self}: {detail}")


# The texts and statuses of Toxiproxy, which clients compare.
BAD_REQUEST_BODY = ApiError(400, "bad request body")
MISSING_FIELD = ApiError(400, "missing required field")
PROXY_NOT_FOUND = ApiError(404, "proxy not found")
PROXY_ALREADY_EXISTS = ApiError(409, "proxy already exists")
INVALID_STREAM = ApiError(400, "stream was invalid, can be either upstream or downstream")
INVALID_TOXIC_TYPE = ApiError(400, "invalid toxic type")
TOXIC_ALREADY_EXISTS = ApiError(409, "toxic already exists")
TOXIC_NOT_FOUND = ApiError(404, "toxic not found")
LISTEN_FAILED = ApiError(500, "listen")

# Capsize's own.
INVALID_RULE_TYPE = ApiError(400, "invalid rule type")
RULE_ALREADY_EXISTS = ApiError(409, "rule already exists")
RULE_NOT_FOUND = ApiError(404, "rule not found")
RULES_DO_NOT_APPLY = ApiError(400, "rules can't apply")
INVALID_ADDRESS = ApiError(400, "invalid address")
NOT_LOOPBACK = ApiError(
    400, "only loopback addresses are listened on unless the proxy was started with --expose"
)
UNAUTHORIZED = ApiError(401, "this proxy wants its token: Authorization: Bearer TOKEN")
BROWSER = ApiError(403, "User agent not allowed")
BODY_TOO_LARGE = ApiError(413, "request body too large")
