-- name: migrations
-- The numbers of the migrations that were applied.
SELECT number FROM schema_migrations;

-- name: oldest_due_s
-- For how long the longest-waiting task that is due has been due, in seconds; null when none waits.
SELECT extract(epoch FROM clock_timestamp() - min(run_at))::float8
FROM tasks WHERE status = 'pending' AND run_at <= now();

-- name: sessions
-- Who is connected to this database, by application name.
SELECT application_name AS name, count(*) AS connections
FROM pg_stat_activity
WHERE datname = current_database() AND application_name LIKE 'capsize-starter%'
GROUP BY application_name ORDER BY application_name;

-- name: workers
-- Workers that hold tasks now, with how long the leases of these tasks still last.
SELECT worker AS id, count(*) AS running,
    extract(epoch FROM min(lease_until) - clock_timestamp())::float8 AS lease_left_s
FROM tasks WHERE status = 'running' AND worker IS NOT NULL
GROUP BY worker ORDER BY worker;
