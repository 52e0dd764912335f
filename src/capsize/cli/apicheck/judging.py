"""One request and its judgement, and the account of all of them."""

from __future__ import annotations

import secrets
from collections.abc import Callable
from contextlib import contextmanager
from typing import Any

from capsize.cli.caller import Answer, Caller

TASK = (
    "id type status payload result error priority attempts losses max_attempts run_at created_at started_at "
    "finished_at worker"
)
PROBLEM = "type title status"
Headers = tuple[tuple[str, str], ...]


class Checks:
    """Sends requests, judges the answers, and says a line about each check.

    ``tried`` holds the method and path of every request; ``malformed`` the first answer that calls itself JSON
    and is none.
    """

    def __init__(self, call: Caller, say: Callable[[str], object], *, verbose: bool = False) -> None:
        self._call, self._say, self._verbose = call, say, verbose
        self.passed = self.failed = self.skipped = 0
        self.tried: set[tuple[str, str]] = set()
        self.malformed = ""
        self.answer = Answer(0, {}, "")
        self.mark = secrets.token_hex(6)
        self.workers = False
        self.operations: dict[tuple[str, str], dict[str, Any]] = {}
        """What the service documents, by method and path."""

    @property
    def token(self) -> str:
        """The token that is sent."""
        return self._call.token

    @token.setter
    def token(self, token: str) -> None:
        self._call.token = token

    @contextmanager
    def speaking_with(self, token: str) -> Any:
        """Send another token, or none, while the body runs."""
        before, self.token = self.token, token
        try:
            yield
        finally:
            self.token = before

    def part(self, title: str) -> None:
        """Begin a part of the checks."""
        self._say(title)

    async def send(self, method: str, path: str, body: Any = None, headers: Headers = ()) -> Answer:
        """Send a request and keep its answer."""
        self.tried.add((method, path.partition("?")[0]))
        self.answer = answer = await self._call(method, path, body, headers)
        kind = answer.headers.get("content-type", "")
        if "json" in kind and answer.json is None and not self.malformed:
            self.malformed = f"{method} {path}: {answer.text[:200]!r}"
        if self._verbose:
            self._say(f"    {method} {path} -> {answer.status} {answer.text}")
        return answer

    async def check(
        self,
        name: str,
        status: int,
        members: str,
        method: str,
        path: str,
        body: Any = None,
        headers: Headers = (),
    ) -> Answer:
        """Send a request; its answer must have this status and these members, and an error must be a problem."""
        answer = await self.send(method, path, body, headers)
        found = answer.json
        missing = [one for one in members.split() if not isinstance(found, dict) or one not in found]
        if answer.status != status:
            self.fail(name, f"expected {status}, got {answer.status or 'no answer'} {answer.text[:200]}")
        elif missing:
            self.fail(name, f'the answer has no "{missing[0]}": {answer.text[:200]}')
        elif status >= 400 and not answer.headers.get("content-type", "").startswith(
            "application/problem+json"
        ):
            self.fail(name, f"the error is not problem+json: {answer.text[:200]}")
        else:
            self.succeed(name)
        return answer

    def header(self, name: str, header: str, part: str = "") -> None:
        """Judge that the last answer has a header, with this in it."""
        value = self.answer.headers.get(header, "")
        self.judge(name, bool(value) and part in value.lower(), f"{header} is {value!r}")

    def judge(self, name: str, good: bool, otherwise: str) -> None:
        """Count a check by what is known already."""
        if good:
            self.succeed(name)
        else:
            self.fail(name, otherwise)

    def succeed(self, name: str) -> None:
        """Count a check that passed."""
        self.passed += 1
        self._say(f"  PASS  {name}")

    def fail(self, name: str, why: str) -> None:
        """Count a check that failed."""
        self.failed += 1
        self._say(f"  FAIL  {name}: {why}")

    def skip(self, name: str, why: str) -> None:
        """Count a check that could not be made."""
        self.skipped += 1
        self._say(f"  SKIP  {name}: {why}")
