-- name: enqueue
-- Inserts one task; inserts nothing when the user's idempotency key is taken.
INSERT INTO tasks (id, user_id, type, payload, priority, run_at, max_attempts, idempotency_key, request_hash)
VALUES ($1, $2, $3, $4, $5, coalesce($6, now()), $7, $8, $9)
ON CONFLICT (user_id, idempotency_key) WHERE idempotency_key IS NOT NULL DO NOTHING
RETURNING *;

-- name: by_idempotency_key
-- The task that a user's idempotency key created.
SELECT * FROM tasks
WHERE user_id IS NOT DISTINCT FROM $1 AND idempotency_key = $2;

-- name: enqueue_many
-- Inserts many tasks in one statement.
INSERT INTO tasks (id, user_id, type, payload, priority, run_at, max_attempts)
SELECT id, $2::uuid, type, payload, priority, coalesce(run_at, now()), max_attempts
FROM unnest($1::uuid[], $3::text[], $4::json[], $5::smallint[], $6::timestamptz[], $7::integer[])
    AS new (id, type, payload, priority, run_at, max_attempts);

-- name: get
-- One task, if it belongs to the user ($2; null means anybody's).
SELECT * FROM tasks WHERE id = $1 AND ($2::uuid IS NULL OR user_id = $2);

-- name: page
-- A page of tasks, newest first, older than the cursor's id, with optional filters.
SELECT * FROM tasks
WHERE ($1::uuid IS NULL OR user_id = $1)
  AND ($2::text IS NULL OR status = $2)
  AND ($3::text IS NULL OR type = $3)
  AND ($4::uuid IS NULL OR id < $4)
  AND ($6::timestamptz IS NULL OR created_at >= $6)
  AND ($7::timestamptz IS NULL OR created_at < $7)
ORDER BY id DESC
LIMIT $5;

-- name: cancel
-- Cancels a task that is not over, and tells its worker when it has one.
WITH before AS (
    SELECT id, status, runs FROM tasks
    WHERE id = $1 AND ($2::uuid IS NULL OR user_id = $2) AND status IN ('pending', 'running')
    FOR NO KEY UPDATE
), cancelled AS (
    UPDATE tasks SET status = 'cancelled', finished_at = clock_timestamp(), lease_until = NULL
    FROM before WHERE tasks.id = before.id
    RETURNING tasks.*
)
SELECT cancelled.*,
    CASE WHEN before.status = 'running'
         THEN pg_notify('starter_cancelled', before.id || ' ' || before.runs) IS NULL END AS told
FROM cancelled JOIN before USING (id);

-- name: retry
-- Makes a task that failed or was cancelled pending again with all its attempts, and wakes the workers.
WITH again AS (
    UPDATE tasks
    SET status = 'pending', attempts = 0, losses = 0, run_at = now(), error = NULL, result = NULL,
        started_at = NULL, finished_at = NULL, lease_until = NULL, worker = NULL
    WHERE id = $1 AND ($2::uuid IS NULL OR user_id = $2) AND status = ANY($3::text[])
    RETURNING *
)
SELECT again.*, pg_notify('starter_tasks', '') IS NULL AS told FROM again;

-- name: delete
-- Deletes a task that is over and takes it off the count of created ones.
WITH gone AS (
    DELETE FROM tasks
    WHERE id = $1 AND ($2::uuid IS NULL OR user_id = $2) AND status IN ('completed', 'failed', 'cancelled')
    RETURNING id
), counted AS (
    UPDATE tasks_created SET total = total - (SELECT count(*) FROM gone)
    WHERE shard = pg_backend_pid() % 256 AND EXISTS (SELECT FROM gone)
)
SELECT count(*) FROM gone;

-- name: purge_dead_letters
-- Deletes a user's dead-letter queue (null means everybody's) and takes it off the count of created tasks.
WITH gone AS (
    DELETE FROM tasks WHERE status = 'failed' AND ($1::uuid IS NULL OR user_id = $1)
    RETURNING id
), counted AS (
    UPDATE tasks_created SET total = total - (SELECT count(*) FROM gone)
    WHERE shard = pg_backend_pid() % 256 AND EXISTS (SELECT FROM gone)
)
SELECT count(*) FROM gone;

-- name: stats
-- All tasks by status, and the separate count of created ones, in one snapshot.
SELECT
    (SELECT sum(total) FROM tasks_created)::bigint AS created,
    count(*) FILTER (WHERE status = 'pending') AS pending,
    count(*) FILTER (WHERE status = 'running') AS running,
    count(*) FILTER (WHERE status = 'completed') AS completed,
    count(*) FILTER (WHERE status = 'failed') AS failed,
    count(*) FILTER (WHERE status = 'cancelled') AS cancelled
FROM tasks;

-- name: type_counts
-- Every type that has tasks, by status.
SELECT type,
    count(*) FILTER (WHERE status = 'pending') AS pending,
    count(*) FILTER (WHERE status = 'running') AS running,
    count(*) FILTER (WHERE status = 'completed') AS completed,
    count(*) FILTER (WHERE status = 'failed') AS failed,
    count(*) FILTER (WHERE status = 'cancelled') AS cancelled
FROM tasks
WHERE $1::uuid IS NULL OR user_id = $1
GROUP BY type
ORDER BY type;

-- name: breakers
-- The circuits of all types that ever failed.
SELECT type, state, failures, opened_at, open_until FROM breakers ORDER BY type;
