"""Defects of circuit breakers, of retries and of the dead-letter queue."""

from __future__ import annotations

from typing import Any

from quality.planted.model import Hunt, defects

QUICK = Hunt("circuit-breaker", level=1, overrides={"interval_s": (16.0, 17.0)})


def never_half_opens() -> None:
    """A circuit that opened once stays open: nobody ever tries again."""
    from capsize_starter import breaker

    def admit(circuit: Any, now: Any, *, probing: bool) -> Any:
        return breaker.Admission.ALL if circuit.state == "closed" else breaker.Admission.NONE

    breaker.admit = admit


def one_circuit_for_all_types() -> None:
    """While any type's circuit is open, no task of any type is claimed."""
    from capsize_starter.breaker import Admission
    from capsize_starter.queue import claims

    peek = claims.Claims.peek

    async def shared(self: Any) -> Any:
        heads = await peek(self)
        is_open = (
            "SELECT EXISTS (SELECT FROM breakers WHERE state = 'open' AND open_until > clock_timestamp())"
        )
        if not await self._db.fetchval(is_open):
            return heads
        return [claims.Head(head.type, Admission.NONE, False, head.seen_at) for head in heads]

    claims.Claims.peek = shared  # type: ignore[method-assign]


def breaker_never_opens() -> None:
    """Failures are never counted."""
    from capsize_starter import breaker

    breaker.after_failure = lambda circuit, run, now, policy: circuit


def every_worker_probes() -> None:
    """Half open lets everybody through at once: the service that has just come back is run over."""
    from capsize_starter import breaker

    admit = breaker.admit
    breaker.admit = lambda circuit, now, *, probing: admit(circuit, now, probing=False)


def dead_letter_queue_drops() -> None:
    """What can't be run is thrown away instead of being kept for somebody to look at."""
    from capsize_starter.queue import claims

    claims.SQL._queries["refuse"] = """
        DELETE FROM tasks WHERE type = $1 AND status = 'pending' AND $2::text IS NOT NULL AND $3::text IS NOT NULL
        RETURNING id"""


def retry_storm() -> None:
    """A failed attempt is tried again at once."""
    from capsize_starter import retry

    decide = retry.RetryPolicy.decide

    def at_once(self: Any, **facts: Any) -> Any:
        decision = decide(self, **facts)
        return retry.Again(0.0) if isinstance(decision, retry.Again) else decision

    retry.RetryPolicy.decide = at_once  # type: ignore[method-assign]


def attempts_spent_while_open() -> None:
    """Tasks are claimed although their circuit is open, and each is failed for it: their attempts are used up."""
    from capsize_starter import breaker
    from capsize_starter.queue import claims
    from capsize_starter.worker import runner
    from capsize_starter.worker.outcome import Failed

    handle, peek = runner._handle, claims.Claims.peek

    async def all_admitted(self: Any) -> Any:
        heads = await peek(self)
        return [
            claims.Head(head.type, breaker.Admission.ALL, False, head.seen_at)
            if head.admission is breaker.Admission.NONE
            else head
            for head in heads
        ]

    async def fails_fast(tools: Any, running: Any) -> Any:
        is_open = "SELECT EXISTS (SELECT FROM breakers WHERE type = $1 AND open_until > clock_timestamp())"
        if await tools.claims._db.fetchval(is_open, running.claimed.type):
            return Failed("CircuitOpen: the circuit of this type is open", blame_type=False)
        return await handle(tools, running)

    claims.Claims.peek = all_admitted  # type: ignore[method-assign]
    runner._handle = fails_fast


def circuits_shown_closed() -> None:
    """The endpoint shows what one process remembers, which is nothing."""
    from capsize_starter.queue import queue

    async def none(self: Any) -> Any:
        return []

    queue.Queue.breakers = none  # type: ignore[method-assign]


DEFECTS = defects(
    (never_half_opens, QUICK, {"breaker_recovers"}),
    (one_circuit_for_all_types, QUICK, {"isolation"}),
    (breaker_never_opens, QUICK, {"breaker_opens"}),
    (every_worker_probes, QUICK, {"breaker_holds"}),
    (dead_letter_queue_drops, QUICK, {"dead_letters"}),
    (retry_storm, QUICK, {"retry_backoff"}),
    (attempts_spent_while_open, QUICK, {"attempts"}),
    (circuits_shown_closed, QUICK, {"truthful_breaker"}),
)
