-- The task queue. Every moment is timestamptz by the clock of the database.

CREATE TABLE tasks (
    id uuid PRIMARY KEY,                    -- version 7, made by the client: ordered by time of creation
    user_id uuid,                           -- no foreign key: it would make inserts of one user share-lock one row
    type text NOT NULL,
    status text NOT NULL DEFAULT 'pending'
        CHECK (status IN ('pending', 'running', 'completed', 'failed', 'cancelled')),
    priority smallint NOT NULL DEFAULT 0,   -- higher goes first
    runs integer NOT NULL DEFAULT 0,        -- runs so far, whatever ended them; the fencing number of the latest
    attempts integer NOT NULL DEFAULT 0,    -- failed attempts
    losses integer NOT NULL DEFAULT 0,      -- lost workers
    max_attempts integer NOT NULL DEFAULT 3 CHECK (max_attempts > 0),
    run_at timestamptz NOT NULL DEFAULT now(),
    created_at timestamptz NOT NULL DEFAULT now(),
    started_at timestamptz,                 -- of the latest run
    finished_at timestamptz,
    lease_until timestamptz,                -- only while running
    worker text,                            -- of the latest run
    payload json NOT NULL,                  -- json, not jsonb: kept as it was sent, \u0000 included
    result json,
    error text,                             -- of the latest failure
    idempotency_key text,
    request_hash bytea
) WITH (fillfactor = 80, autovacuum_vacuum_scale_factor = 0.02, autovacuum_vacuum_threshold = 5000);

-- Claims look for the best task of one type. Entries leave the index with the status, so it stays as small as
-- the backlog.
CREATE INDEX tasks_pending ON tasks (type, priority DESC, run_at) WHERE status = 'pending';
-- Deliberately not on lease_until: a heartbeat then changes no index (a HOT update).
CREATE INDEX tasks_running ON tasks (id) WHERE status = 'running';
-- The dead-letter queue.
CREATE INDEX tasks_failed ON tasks (user_id, id) WHERE status = 'failed';
-- A user's pages, newest first.
CREATE INDEX tasks_user ON tasks (user_id, id);
CREATE UNIQUE INDEX tasks_idempotency ON tasks (user_id, idempotency_key) NULLS NOT DISTINCT
    WHERE idempotency_key IS NOT NULL;

-- How many tasks were ever inserted, less those deleted on request: counted on its own account, so that a task
-- that vanishes otherwise shows up as a difference. One row would make all inserts wait for each other's commit;
-- here each session has its own shard.
CREATE TABLE tasks_created (
    shard integer PRIMARY KEY,
    total bigint NOT NULL
) WITH (fillfactor = 50);

INSERT INTO tasks_created SELECT shard, 0 FROM generate_series(0, 255) AS shard;

CREATE FUNCTION tasks_inserted() RETURNS trigger LANGUAGE plpgsql AS $$
DECLARE
    added bigint;
    first_due text;
    last_due text;
BEGIN
    SELECT count(*), min(type) FILTER (WHERE run_at <= now()), max(type) FILTER (WHERE run_at <= now())
    INTO added, first_due, last_due FROM inserted;
    IF added > 0 THEN
        UPDATE tasks_created c SET total = c.total + added WHERE c.shard = pg_backend_pid() % 256;
    END IF;
    IF first_due IS NOT NULL THEN
        -- The type, when there is only one, lets an idle worker claim without looking around first.
        PERFORM pg_notify('starter_tasks',
            CASE WHEN first_due = last_due AND length(first_due) <= 200 THEN first_due ELSE '' END);
    END IF;
    RETURN NULL;
END
$$;
CREATE TRIGGER tasks_inserted AFTER INSERT ON tasks
    REFERENCING NEW TABLE AS inserted
    FOR EACH STATEMENT EXECUTE FUNCTION tasks_inserted();

-- The circuit breaker of each type that ever failed; a type without a row is closed.
CREATE TABLE breakers (
    type text PRIMARY KEY,
    state text NOT NULL DEFAULT 'closed' CHECK (state IN ('closed', 'open', 'half_open')),
    failures integer NOT NULL DEFAULT 0,    -- in a row
    opened_at timestamptz,
    open_until timestamptz,                 -- from then on a probe may run
    probe_task uuid,                        -- the run that is let through while half open
    probe_run integer,
    updated_at timestamptz NOT NULL DEFAULT now()
) WITH (fillfactor = 50);
