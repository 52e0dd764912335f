"""What holds for every endpoint that the service documents, so that a new one can't be forgotten."""

from __future__ import annotations

import re

from capsize.cli.apicheck.judging import PROBLEM, Checks
from capsize.cli.apicheck.tasks import NOBODY

PLACE = re.compile(r"\{[^}]*\}")


async def each_endpoint(checks: Checks) -> None:
    """Check every endpoint without its token, with a broken body, with one of the wrong kind, and with no such task."""
    checks.part("Each endpoint")
    for (method, path), operation in sorted(checks.operations.items()):
        called, name = PLACE.sub(NOBODY, path), f"{method} {path}"
        if operation.get("security"):
            with checks.speaking_with(""):
                await checks.check(f"{name} without a token", 401, PROBLEM, method, called)
        if "requestBody" in operation:
            await checks.check(f"{name} with a broken body", 400, PROBLEM, method, called, b'{"')
            await checks.check(f"{name} with a list", 422, f"{PROBLEM} errors", method, called, [])
        if called != path:
            await checks.check(f"{name} of no task", 404, PROBLEM, method, called)


def nothing_left_out(checks: Checks) -> None:
    """Check that every documented endpoint was called with success in mind, or skipped for want of a worker."""
    # The path of one endpoint may fit the pattern of another: /tasks/stats and /tasks/{task_id}.
    others = checks.tried - set(checks.operations)
    left = [
        f"{method} {path}"
        for method, path in sorted(checks.operations)
        if (method, path) not in checks.tried and not any(_meant(method, path, tried) for tried in others)
    ]
    if left and not checks.workers and all("dead-letter" in one for one in left):
        checks.skip("every documented endpoint was called", "no worker is connected")
        return
    documented = bool(checks.operations)
    told = f"never called: {', '.join(left)}" if documented else "/openapi.json lists no endpoint"
    checks.judge("every documented endpoint was called", documented and not left, told)


def _meant(method: str, path: str, tried: tuple[str, str]) -> bool:
    pattern = PLACE.sub("[^/]+", path)
    return method == tried[0] and NOBODY not in tried[1] and re.fullmatch(pattern, tried[1]) is not None
