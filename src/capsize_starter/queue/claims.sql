-- name: peek
-- The best due task of each type that has one, best first, with the type's circuit. Hops from type to type through
-- the index, so its cost does not depend on the backlog.
WITH RECURSIVE types AS (
    (SELECT type FROM tasks WHERE status = 'pending' ORDER BY type LIMIT 1)
    UNION ALL
    SELECT (SELECT t.type FROM tasks t WHERE t.status = 'pending' AND t.type > types.type ORDER BY t.type LIMIT 1)
    FROM types WHERE types.type IS NOT NULL
)
SELECT types.type, b.state, b.failures, b.opened_at, b.open_until, b.probe_task, b.probe_run,
    clock_timestamp() AS now,
    EXISTS (
        SELECT FROM tasks p WHERE p.id = b.probe_task AND p.runs = b.probe_run AND p.status = 'running'
    ) AS probing
FROM types
CROSS JOIN LATERAL (
    SELECT priority, run_at FROM tasks t
    WHERE t.type = types.type AND t.status = 'pending' AND t.run_at <= clock_timestamp()
    ORDER BY t.priority DESC, t.run_at
    LIMIT 1
) AS head
LEFT JOIN breakers b ON b.type = types.type
ORDER BY head.priority DESC, head.run_at;

-- name: claim
-- Starts a run, each with its own lease, of the best due tasks of a type. Does nothing after $5 (null: no limit): a
-- statement that lay in the socket of a frozen server would claim for a worker that gave it up long ago.
WITH best AS MATERIALIZED (
    SELECT id FROM tasks
    WHERE type = $1 AND status = 'pending' AND run_at <= clock_timestamp()
        AND ($5::timestamptz IS NULL OR clock_timestamp() < $5)
    ORDER BY priority DESC, run_at
    LIMIT $2
    FOR NO KEY UPDATE SKIP LOCKED
)
UPDATE tasks
SET status = 'running', runs = runs + 1, worker = $3, started_at = clock_timestamp(), finished_at = NULL,
    lease_until = clock_timestamp() + make_interval(secs => $4)
FROM best WHERE tasks.id = best.id
RETURNING tasks.id, tasks.type, tasks.runs, tasks.payload, tasks.attempts, tasks.max_attempts;

-- name: claim_locked
-- Locks the best due tasks of a type for this transaction and leaves them as they are: the lock is the lease. Only
-- while the type's circuit has nothing against it.
SELECT ctid, id, type, runs, payload, attempts, max_attempts FROM tasks
WHERE type = $1 AND status = 'pending' AND run_at <= clock_timestamp()
    AND NOT EXISTS (SELECT FROM breakers b WHERE b.type = $1 AND (b.failures > 0 OR b.state <> 'closed'))
ORDER BY priority DESC, run_at
LIMIT $2
FOR NO KEY UPDATE SKIP LOCKED;

-- name: complete_locked
-- Records the results of tasks that this transaction has locked. Their ctid can't change under the lock.
UPDATE tasks
SET status = 'completed', runs = runs + 1, result = done.result, error = NULL, worker = $3,
    started_at = now(), finished_at = clock_timestamp()
FROM unnest($1::tid[], $2::json[]) AS done (row_id, result)
WHERE tasks.ctid = done.row_id;

-- name: lease_locked
-- Turns locked tasks into runs with a lease of their own.
UPDATE tasks
SET status = 'running', runs = runs + 1, worker = $2, started_at = now(), finished_at = NULL,
    lease_until = clock_timestamp() + make_interval(secs => $3)
WHERE ctid = ANY($1::tid[]);

-- name: complete
-- Records a run's result unless the run is no longer the task's latest; says whether its circuit must hear of it.
WITH done AS (
    UPDATE tasks
    SET status = 'completed', result = $3, error = NULL, finished_at = clock_timestamp(), lease_until = NULL
    WHERE id = $1 AND runs = $2 AND status = 'running'
    RETURNING type
)
SELECT EXISTS (
    SELECT FROM breakers b WHERE b.type = done.type AND (b.failures > 0 OR b.state <> 'closed')
) AS circuit_concerned
FROM done;

-- name: completed_by
-- Whether a run has completed its task: for a commit whose answer was lost.
SELECT EXISTS (SELECT FROM tasks WHERE id = $1 AND runs = $2 AND status = 'completed');

-- name: fail
-- Records a run's failure: pending again after a delay in seconds ($4), or failed for good when that is null.
UPDATE tasks
SET status = CASE WHEN $4::float8 IS NULL THEN 'failed' ELSE 'pending' END,
    attempts = attempts + 1, error = $3, lease_until = NULL,
    run_at = coalesce(clock_timestamp() + make_interval(secs => $4::float8), run_at),
    finished_at = CASE WHEN $4::float8 IS NULL THEN clock_timestamp() END
WHERE id = $1 AND runs = $2 AND status = 'running'
RETURNING type;

-- name: refuse
-- Puts the due tasks of a type that no worker knows into the dead-letter queue.
WITH best AS MATERIALIZED (
    SELECT id FROM tasks
    WHERE type = $1 AND status = 'pending' AND run_at <= clock_timestamp()
    ORDER BY priority DESC, run_at
    LIMIT 500
    FOR NO KEY UPDATE SKIP LOCKED
)
UPDATE tasks
SET status = 'failed', runs = runs + 1, attempts = attempts + 1, error = $2, worker = $3,
    started_at = clock_timestamp(), finished_at = clock_timestamp()
FROM best WHERE tasks.id = best.id
RETURNING tasks.id;

-- name: hand_back
-- Makes a run's task pending again at once, counted neither as a failure nor as a loss, and wakes the workers.
WITH back AS (
    UPDATE tasks SET status = 'pending', lease_until = NULL
    WHERE id = $1 AND runs = $2 AND status = 'running'
    RETURNING id
)
SELECT pg_notify('starter_tasks', '') IS NULL FROM back;

-- name: renew
-- Renews the leases of runs and returns those that are still the worker's.
UPDATE tasks
SET lease_until = clock_timestamp() + make_interval(secs => $3)
FROM unnest($1::uuid[], $2::integer[]) AS held (id, run)
WHERE tasks.id = held.id AND tasks.runs = held.run AND tasks.status = 'running'
RETURNING tasks.id;

-- name: server_time
-- The moment from which the server's own silence is measured.
SELECT clock_timestamp();

-- name: reap
-- Takes back the tasks whose lease is over: pending again, or failed when they have lost too many workers ($1). Does
-- nothing after $2: a server that was frozen in between let nobody renew.
WITH lost AS MATERIALIZED (
    SELECT id FROM tasks
    WHERE status = 'running' AND lease_until < clock_timestamp() AND clock_timestamp() < $2
    LIMIT 1000
    FOR NO KEY UPDATE SKIP LOCKED
), back AS (
    UPDATE tasks
    SET losses = losses + 1, lease_until = NULL,
        status = CASE WHEN losses + 1 >= $1 THEN 'failed' ELSE 'pending' END,
        finished_at = CASE WHEN losses + 1 >= $1 THEN clock_timestamp() END,
        error = CASE WHEN losses + 1 >= $1
            THEN format('WorkerLost: %s workers were lost while they ran this task; it is not tried again',
                        losses + 1)
            ELSE error END
    FROM lost WHERE tasks.id = lost.id
    RETURNING tasks.id, tasks.type, tasks.runs, tasks.status, tasks.losses, tasks.worker
), woken AS MATERIALIZED (
    SELECT pg_notify('starter_tasks', '') FROM back LIMIT 1
)
SELECT back.* FROM back LEFT JOIN woken ON true;

-- name: circuit_create
-- Makes sure that a type's circuit has a row to lock.
INSERT INTO breakers (type) VALUES ($1) ON CONFLICT DO NOTHING;

-- name: circuit_lock
-- Locks a type's circuit for this transaction, so that decisions about it come one after the other.
SELECT FROM breakers WHERE type = $1 FOR UPDATE;

-- name: circuit_read
-- A type's circuit. A statement of its own, after the lock: one that waits for the lock sees the circuit as it is then,
-- but the tasks as they were before the wait, and would not find the probe that another worker has just started.
SELECT b.state, b.failures, b.opened_at, b.open_until, b.probe_task, b.probe_run, clock_timestamp() AS now,
    EXISTS (
        SELECT FROM tasks p WHERE p.id = b.probe_task AND p.runs = b.probe_run AND p.status = 'running'
    ) AS probing
FROM breakers b WHERE b.type = $1;

-- name: circuit_save
-- Writes what was decided about a type's circuit.
UPDATE breakers
SET state = $2, failures = $3, opened_at = $4, open_until = $5, probe_task = $6, probe_run = $7, updated_at = now()
WHERE type = $1;
