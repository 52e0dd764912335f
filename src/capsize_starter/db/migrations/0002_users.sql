-- Users, their sessions, and the counts behind the login limit.

CREATE TABLE users (
    id uuid PRIMARY KEY,
    email text NOT NULL UNIQUE,             -- in lower case
    name text NOT NULL,
    password_hash text NOT NULL,
    created_at timestamptz NOT NULL DEFAULT now()
);

-- A session begins with a login and lives as long as it is refreshed; ending it ends all its tokens.
CREATE TABLE user_sessions (
    id uuid PRIMARY KEY,
    user_id uuid NOT NULL REFERENCES users ON DELETE CASCADE,
    created_at timestamptz NOT NULL DEFAULT now(),
    expires_at timestamptz NOT NULL,        -- of its latest refresh token
    revoked_at timestamptz
);
CREATE INDEX user_sessions_user ON user_sessions (user_id, expires_at);

-- Only hashes: who reads this table can't speak for anybody.
CREATE TABLE session_tokens (
    token_hash bytea PRIMARY KEY,
    session_id uuid NOT NULL REFERENCES user_sessions ON DELETE CASCADE,
    kind text NOT NULL CHECK (kind IN ('access', 'refresh')),
    expires_at timestamptz NOT NULL,
    used_at timestamptz                     -- a spent refresh token is kept: seeing it again means theft
);
CREATE INDEX session_tokens_session ON session_tokens (session_id);

-- Unlogged: the counts are gone after a crash of the server, and an attempt costs no wait for the disk.
CREATE UNLOGGED TABLE login_attempts (
    key text PRIMARY KEY,                   -- 'account:...' or 'address:...'
    failures integer NOT NULL,
    window_ends timestamptz NOT NULL
);
CREATE INDEX login_attempts_ends ON login_attempts (window_ends);
