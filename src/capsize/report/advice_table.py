"""What usually causes an anomaly or a broken claim, and what to change: data, read by :mod:`capsize.report.advice`."""

from __future__ import annotations

import msgspec


class Advice(msgspec.Struct, frozen=True, kw_only=True):
    """One line of the table: what is wrong, what usually causes it, what to change."""

    title: str
    cause: str
    change: str


def _advice(title: str, cause: str, change: str) -> Advice:
    return Advice(title=title, cause=cause, change=change)


ANOMALY_ADVICE: dict[str, Advice] = {
    "lost": _advice(
        "Accepted tasks were lost",
        "The 2xx is sent before the commit that stores the task, the queue lives in memory, or a retry is dropped.",
        "Answer 2xx only after the commit. Keep the task's row until its result is committed.",
    ),
    "duplicate": _advice(
        "Tasks were done twice",
        "The claim takes no lock, or a worker that was frozen past its lease goes on and finishes too.",
        "Claim with FOR UPDATE SKIP LOCKED, check the lease directly before the effect, make the effect idempotent.",
    ),
    "overlap": _advice(
        "Two workers were inside one task at once",
        "The lease is shorter than the work and nothing extends it, or the claim is read and written in two steps.",
        "Extend the lease while working, claim in one statement, and give each claim a number that the commit checks.",
    ),
    "stuck": _advice(
        "Tasks stay claimed by workers that are gone",
        "Nothing takes back a claim whose worker died.",
        "Give claims a lease, and take expired ones back on a timer that no single worker owns.",
    ),
    "misreported": _advice(
        "The service's word on a task is not what happened",
        "Completed is written before the effect, or the status is committed apart from the result.",
        "Do the effect first, then write result and status in one transaction.",
    ),
    "resurrected": _advice(
        "Tasks ran after they were cancelled or given up",
        "A worker does not look at the status again between claim and start.",
        "Make the claim's statement depend on the status.",
    ),
    "late": _advice(
        "Tasks were finished after their deadline",
        "Too few workers, or a dead worker's task waits for the end of a long lease.",
        "Shorten the lease and extend it while working; add workers; see recovery and spread.",
    ),
    "unaccounted": _advice(
        "The task counts do not add up",
        "The counters are kept apart from the rows, or counted in several statements.",
        "Count all states in one statement, from the rows.",
    ),
}
"""By the name of the anomaly, which is its checker's too."""


CLAIM_ADVICE: dict[str, Advice] = {
    "intact": _advice(
        "Accepted tasks are not what was acknowledged, or the database is damaged",
        "A payload is decoded and put together anew on a retry, or put back from a copy that holds less.",
        "Keep what was accepted in its row as it came, change only status columns, and turn data checksums on.",
    ),
    "ended": _advice(
        "Something that was broken could not be healed",
        "The finding names what is left: a process, a rule or a file of the test.",
        "Remove what is left by hand, then find out why healing failed, in crash.txt and logs/.",
    ),
    "steady": _advice(
        "The service did not return to its normal state",
        "A process gave up, a pool holds dead connections, or the backlog is not worked off.",
        "Look at the end of each log in logs/: what was up and did nothing?",
    ),
    "instrument": _advice(
        "Capsize itself was late",
        "The machine was too busy to measure on.",
        "Run it alone, or on more cores.",
    ),
    "landed": _advice(
        "A fault could not be healed",
        "The finding says what was left broken.",
        "Remove it by hand before the next run.",
    ),
    "completion": _advice(
        "Too few tasks were done in time",
        "Workers stay down after a kill, or a killed worker's task waits long for its next run.",
        "Look at restarted and recovery first; then shorten the lease.",
    ),
    "reported": _advice(
        "The service reports too few tasks as completed",
        "The service is believed about itself here; its workers were too slow, or down.",
        "Read its own log for the time of the chaos.",
    ),
    "availability": _advice(
        "Too many API calls failed",
        "A pool hands out dead connections, nothing restarts the API, or requests wait without a limit.",
        "Check connections before use, run under a supervisor, set a time limit on every call that leaves the process.",
    ),
    "recovery": _advice(
        "The service takes long to come back",
        "A slow start, long pauses between restarts, or a pool that does not connect again.",
        "Measure the start, keep back-off below a few seconds, throw away broken connections at once.",
    ),
    "restarted": _advice(
        "A process that died did not come back",
        "No supervisor, or one that gave up after several quick deaths.",
        "Run it under a supervisor without a limit on restarts; its log in logs/ says why it ended.",
    ),
    "retries": _advice(
        "Work that was lost to a strike was not run again",
        "A claim of a dead worker is not returned to the queue.",
        "Take back expired claims and run them again, apart from the count of failed attempts.",
    ),
    "spread": _advice(
        "The work is not shared among the workers",
        "One worker claims in large batches, or others are never woken.",
        "Claim one task at a time, and wake all workers when work comes in.",
    ),
    "acceptance": _advice(
        "Submissions are refused or acknowledged late under a flood",
        "Work before the 201 that could wait, a lock around the insert, or too small a pool.",
        "Only insert and commit before the answer; size the pool for the flood.",
    ),
    "pickup": _advice(
        "Accepted tasks wait long for their first run",
        "Workers poll seldom, or the claim gets slower as the backlog grows.",
        "Wake workers with LISTEN and NOTIFY; index what the claim orders by.",
    ),
    "throughput": _advice(
        "Too little is done while work is waiting",
        "One lock for the whole queue, or a transaction held open while something slow is done.",
        "Claim with SKIP LOCKED and commit before the work begins.",
    ),
    "queue": _advice(
        "The queue does not empty after a flood",
        "Tasks are put back without an end, or workers died.",
        "Limit the attempts; see throughput and restarted.",
    ),
    "database_load": _advice(
        "The database is under strain",
        "Rows locked in different orders, a connection for each task, or a missing index.",
        "Lock in one order, share a bounded pool, look at the slow statements that the finding names.",
    ),
    "memory": _advice(
        "A process grows without end",
        "A cache without a limit, or a list of everything that was ever done.",
        "Bound every cache; take two heap snapshots under this load and compare them.",
    ),
    "crashes": _advice(
        "A process ended and nobody had harmed it",
        "An error that nothing catches, or too little memory.",
        "Its log in logs/ has the last words.",
    ),
    "scaling": _advice(
        "Changing the number of workers costs work or time",
        "SIGTERM is not handled, or handing a task back counts as a failed attempt.",
        "On SIGTERM claim nothing more, finish or hand back what is under way, then exit.",
    ),
    "utilization": _advice(
        "Workers look on while tasks wait",
        "Claims in large batches, or a lock around the claim.",
        "Claim one task at a time with SKIP LOCKED.",
    ),
    "recovery_trend": _advice(
        "Each recovery takes longer than the one before",
        "A start that reads all that was ever written, or files that each start leaves behind.",
        "Look at what the start reads; clean up on the way down and on the way up.",
    ),
    "endpoints": _advice(
        "A call of the API does not answer as agreed",
        "The finding names the call and its answer.",
        "Compare it with docs/service-contract.md.",
    ),
    "truthful_health": _advice(
        "The health check does not tell the truth",
        "It looks at nothing, or at a cache.",
        "Let it ask the database, with a time limit of its own.",
    ),
    "flapping": _advice(
        "Readiness comes and goes by itself",
        "A limit tighter than the slowest good answer, or a check that waits behind other work.",
        "Give the check a connection of its own and a limit well above its usual time.",
    ),
    "bounded_answers": _advice(
        "Calls hang or fail unclearly while the database is away",
        "No time limit on connecting, or on waiting for the pool.",
        "Limit both, and answer 503 with Retry-After.",
    ),
    "breaker_opens": _advice(
        "The circuit opens too late, or not at all",
        "Failures are counted in each process apart, or another type's success resets the count.",
        "Count in one shared place, for each type.",
    ),
    "breaker_holds": _advice(
        "Calls go out while the circuit is open",
        "The probe is not claimed under a lock, or a failed probe does not open the circuit again.",
        "Claim the single probe in one statement; a failed one opens the circuit anew.",
    ),
    "breaker_recovers": _advice(
        "The circuit does not close when the service is well again",
        "It never goes half open, or waits for a probe whose worker died.",
        "Let time alone make it half open, and give the probe a lease.",
    ),
    "truthful_breaker": _advice(
        "The service's word on its circuits is not what it does",
        "The state is kept in each process, or cached.",
        "Keep it in one place, and read it from there.",
    ),
    "isolation": _advice(
        "One failing type of task holds up the others",
        "One circuit for all types, or workers blocked in calls that hang.",
        "A circuit for each type, and a time limit on each outside call.",
    ),
    "attempts": _advice(
        "Tasks lose attempts to an open circuit",
        "They are claimed and failed because the circuit is open.",
        "Do not claim a type whose circuit is open.",
    ),
    "retry_backoff": _advice(
        "Failed tasks are tried again at once",
        "No pause between attempts: a retry storm.",
        "Exponential pauses with jitter.",
    ),
    "dead_letters": _advice(
        "The dead-letter queue does not hold what it should",
        "A queue that drops, or too few attempts to outlast an outage.",
        "Move given-up tasks in the transaction that gives them up.",
    ),
    "converged": _advice(
        "After several faults at once not everything came back",
        "A process gave up when it started into an outage, or workers are up and claim nothing.",
        "Let a start wait for what it needs; let a worker connect again for ever.",
    ),
    "reconnected": _advice(
        "A worker did not go back to work after its connections were disturbed",
        "It waits for ever on a connection that is dead, or it lost its subscription and was never woken again.",
        "Set time limits and TCP keepalives on the connection, listen again after each reconnect, and poll as well.",
    ),
    "accounts": _advice(
        "What users were told of their accounts or sessions is not so",
        "The answer is sent before the commit, or a token is accepted without a look at its session.",
        "Answer after the commit; let every use of a token ask for its session.",
    ),
    "observed_recovery": _advice(
        "The service was away for too long",
        "A restart that waits, a health check that is looked at too rarely, or a rollout without a second instance.",
        "Restart at once, look every second, and keep one instance up while another is replaced.",
    ),
    "observed_circuit": _advice(
        "The circuit of failing tasks stayed closed, or another one opened",
        "Refusals are counted as successes, or one circuit serves several types.",
        "Count every failed task of a type, and keep a circuit for each.",
    ),
    "restraint": _advice(
        "A process burns CPU while the database is away",
        "It connects or claims again without a pause.",
        "Pause between tries, longer each time.",
    ),
}
"""By the name of the claim."""


UNKNOWN_CHANGE: dict[str, str] = {
    "intact": "See which look failed in the run's notes: the audit, the tasks' rows, or the database's relations.",
    "ended": "Run it again, and let it come to its end.",
    "steady": "Start the service by hand and look at logs/: it was not well before anything was harmed.",
    "instrument": "Run it alone, without --jobs, or on a machine with more free cores.",
    "landed": "Give the strikes work to meet: --tasks for more of it, --task-delay for longer runs.",
    "disturbed": "Give the connections traffic while they are disturbed: more tasks, or a longer chaos phase.",
    "retries": "Give the strikes work to meet: --tasks for more of it, --task-delay for longer runs.",
    "spread": "More tasks: --tasks.",
    "memory": "A longer run: more tasks, or a higher level.",
    "throughput": "More tasks: a queue must form before it can be timed.",
    "queue": "More tasks: a queue must form before it can be timed.",
    "observed_recovery": "Break the service while capsize looks on: without an outage there is no recovery to time.",
    "recovery_trend": "More cycles: a higher level, or a shorter --chaos-interval.",
    "scaling": "More or longer tasks, so that a worker that leaves is inside one.",
}
"""What to do about a claim that was left open, by its name."""

UNKNOWN_DEFAULT = "Remove the cause that the claim names, and run it again."
