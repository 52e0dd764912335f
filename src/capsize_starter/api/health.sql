-- name: migrations
-- The numbers of the migrations that were applied.
SELECT number FROM schema_migrations;

-- name: oldest_due_s
-- For how long the longest-waiting task that is due has been due, in seconds; null when none waits.
SELECT extract(epoch FROM clock_timestamp() - min(run_at))::float8
FROM tasks WHERE status = 'pending' AND run_at <= now();

-- name: workers
-- Who works on this database: every client that gives a name and is not an API or a migration, when it last said
-- something, and who holds tasks. A worker that is gone but whose tasks were not taken over yet has no connections.
WITH clients AS (
    SELECT application_name AS id, count(*) AS connections,
        extract(epoch FROM clock_timestamp() - max(state_change))::float8 AS seen_s
    FROM pg_stat_activity
    WHERE datname = current_database() AND backend_type = 'client backend'
      AND application_name <> '' AND application_name NOT LIKE 'capsize-starter%'
    GROUP BY application_name
), holders AS (
    SELECT left(worker, 60) AS id, count(*) AS running,
        extract(epoch FROM min(lease_until) - clock_timestamp())::float8 AS lease_left_s
    FROM tasks WHERE status = 'running' AND worker IS NOT NULL
    GROUP BY left(worker, 60)
)
SELECT id, coalesce(connections, 0) AS connections, seen_s, coalesce(running, 0) AS running, lease_left_s
FROM clients FULL JOIN holders USING (id)
ORDER BY id;
