-- name: lock
-- Lets one migrating process work while the others wait; ends with the transaction.
SELECT pg_advisory_xact_lock(7205759403792793);

-- name: create_table
-- Remembers which migrations were applied.
CREATE TABLE IF NOT EXISTS schema_migrations (
    number integer PRIMARY KEY,
    name text NOT NULL,
    applied_at timestamptz NOT NULL DEFAULT now()
);

-- name: applied
-- The numbers of all migrations that were applied.
SELECT number FROM schema_migrations;

-- name: record
-- Notes that a migration was applied.
INSERT INTO schema_migrations (number, name) VALUES ($1, $2);
