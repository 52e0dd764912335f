"""accounts: what users were told of their accounts and sessions is so."""

from __future__ import annotations

from collections.abc import Iterator
from typing import ClassVar

import msgspec

from capsize.checkers.figures import counted, verdict_of
from capsize.core.events import Op
from capsize.core.history import History
from capsize.core.verdict import Finding, Result

STEP = "account:"


class Accounts(msgspec.Struct, frozen=True, kw_only=True):
    """No account or session that was acknowledged is unknown, none was made twice, and none lives on after its end.

    Judged are the calls of each user in their order. ``lost``: a login is refused after the registration was
    answered, or after too many of the user's own; a token is refused that was handed out and not given back.
    ``duplicate``: the address of a new user is taken though none of its tries can have done it; a spent refresh
    token is good for a second session. ``resurrected``: a session works after its end was acknowledged. A try
    whose answer was lost may have done what it asked for, and explains the next one's refusal.

    UNKNOWN when no user got to the end of a session.
    """

    name: ClassVar[str] = "accounts"

    def check(self, history: History) -> Result:
        """Follow each user."""
        users: dict[str, list[Op]] = {}
        for op in history.of(Op):
            if op.call.startswith(STEP) and op.key is not None:
                users.setdefault(op.key, []).append(op)
        findings = tuple(finding for ops in users.values() for finding in _follow(ops))
        steps = [op for ops in users.values() for op in ops]
        ended = sum(op.call == f"{STEP}ended" and op.outcome == "ok" for op in steps)
        doubts = sum(op.outcome == "info" for op in steps)
        fine = f"{counted(len(users), 'user')}, {counted(ended, 'session')} to their end, {doubts} answers lost: all is so"
        return Result(
            checker=self.name,
            verdict=verdict_of(findings, unknown=not ended),
            summary=findings[0].message if findings else fine if ended else "no user ended a session",
            measures={"users": len(users), "ended": ended, "in_doubt": doubts, "wrong": len(findings)},
            findings=findings,
        )


def _follow(ops: list[Op]) -> Iterator[Finding]:
    """Yield what one user was told that can't be so; ``doubtful`` are steps that a lost try may have done."""
    doubtful: set[str] = set()
    for op in ops:
        step = op.call.removeprefix(STEP)
        if op.outcome == "info":
            doubtful.add(step)
            continue
        if op.status is None:
            continue
        wrong = _wrong(step, op.status, doubtful)
        if wrong is not None:
            yield Finding(
                anomaly=wrong[0], message=f"user {op.key} {wrong[1]} at {op.t:.3f} s", story=_story(ops)
            )
            return
        # What was in doubt about a session is settled with the next one, and a step with its own answer.
        doubtful -= {"refresh", "reuse", "logout"} if step == "login" else {step}


def _wrong(step: str, status: int, doubtful: set[str]) -> tuple[str, str] | None:
    """Return the anomaly and what happened; None when the answer can be so."""
    match step, status:
        case "register", 409 if step not in doubtful:
            return "duplicate", "was told that its new address is taken"
        case "login", 401 | 404:
            return "lost", "is registered and was not known"
        case "login", 429:
            return "lost", "was locked out by tries of its own whose answers were lost"
        case "me", 401:
            return "lost", "was refused with a token that it had been handed out"
        case (("refresh" | "logout"), 401) if step not in doubtful:
            return "lost", f"was refused a {step} of a session that it had been handed out"
        case "reuse", 200:
            return "duplicate", "got a second session for a refresh token that was spent"
        case "ended", 200:
            return "resurrected", "is still let in with a session whose end was acknowledged"
        case _:
            return None


def _story(ops: list[Op]) -> tuple[str, ...]:
    return tuple(f"{op.t:8.3f} {op.call}: {op.status or op.error} ({op.outcome})" for op in ops[:40])
