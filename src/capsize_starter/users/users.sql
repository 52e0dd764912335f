-- name: register
-- Inserts a user; inserts nothing when the address is taken.
INSERT INTO users (id, email, name, password_hash) VALUES ($1, $2, $3, $4)
ON CONFLICT (email) DO NOTHING
RETURNING id, email, name, created_at;

-- name: user
-- One user.
SELECT id, email, name, created_at FROM users WHERE id = $1;

-- name: begin_login
-- Counts the attempt against account and address before the password is looked at, so that guesses sent at
-- once can't all slip through, and finds the user. The account comes first: one order of locks, no deadlock.
WITH counted AS (
    INSERT INTO login_attempts AS a (key, failures, window_ends)
    VALUES ($1, 1, now() + $3::interval), ($2, 1, now() + $3::interval)
    ON CONFLICT (key) DO UPDATE SET
        failures = CASE WHEN a.window_ends <= now() THEN 1 ELSE a.failures + 1 END,
        window_ends = CASE WHEN a.window_ends <= now() THEN excluded.window_ends ELSE a.window_ends END
    RETURNING key, failures, extract(epoch FROM window_ends - now())::float8 AS left_s
)
SELECT account.failures AS account_failures, account.left_s AS account_left_s,
    address.failures AS address_failures, address.left_s AS address_left_s,
    users.id, users.email, users.name, users.created_at, users.password_hash
FROM counted account
JOIN counted address ON address.key = $2
LEFT JOIN users ON users.email = $4
WHERE account.key = $1;

-- name: forgive
-- Takes a login that succeeded off the counts.
WITH account AS (
    DELETE FROM login_attempts WHERE key = $1
)
UPDATE login_attempts SET failures = greatest(failures - 1, 0) WHERE key = $2;

-- name: prune_attempts
-- Deletes some counts whose window is over.
DELETE FROM login_attempts WHERE key IN (
    SELECT key FROM login_attempts WHERE window_ends < now() LIMIT 100 FOR UPDATE SKIP LOCKED
);

-- name: prune_sessions
-- Deletes a user's sessions that can't be refreshed any more.
DELETE FROM user_sessions WHERE user_id = $1 AND expires_at < now();

-- name: open_session
-- Begins a session with its first two tokens.
WITH session AS (
    INSERT INTO user_sessions (id, user_id, expires_at) VALUES ($1, $2, now() + $6::interval)
    RETURNING id, expires_at
), tokens AS (
    INSERT INTO session_tokens (token_hash, session_id, kind, expires_at)
    SELECT $3::bytea, id, 'access', now() + $5::interval FROM session
    UNION ALL
    SELECT $4::bytea, id, 'refresh', expires_at FROM session
    RETURNING kind, expires_at
)
SELECT expires_at FROM tokens WHERE kind = 'access';

-- name: set_password_hash
-- Replaces a hash that was made with outdated parameters, unless it was changed meanwhile.
UPDATE users SET password_hash = $2 WHERE id = $1 AND password_hash = $3;

-- name: refresh
-- Spends a refresh token that is still good and gives its session two new tokens.
WITH spent AS (
    UPDATE session_tokens token SET used_at = now()
    FROM user_sessions session
    WHERE token.token_hash = $1 AND token.kind = 'refresh' AND token.used_at IS NULL
      AND token.expires_at > now() AND session.id = token.session_id AND session.revoked_at IS NULL
    RETURNING token.session_id, session.user_id
), prolonged AS (
    UPDATE user_sessions SET expires_at = now() + $5::interval FROM spent WHERE id = spent.session_id
), pruned AS (
    DELETE FROM session_tokens old USING spent
    WHERE old.session_id = spent.session_id AND old.expires_at < now()
), tokens AS (
    INSERT INTO session_tokens (token_hash, session_id, kind, expires_at)
    SELECT $2::bytea, session_id, 'access', now() + $4::interval FROM spent
    UNION ALL
    SELECT $3::bytea, session_id, 'refresh', now() + $5::interval FROM spent
    RETURNING kind, expires_at
)
SELECT tokens.expires_at AS token_expires_at, users.id, users.email, users.name, users.created_at
FROM tokens, spent JOIN users ON users.id = spent.user_id
WHERE tokens.kind = 'access';

-- name: revoke_reused
-- Ends the session of a refresh token that was spent before, and says which it was.
UPDATE user_sessions session SET revoked_at = now()
FROM session_tokens token
WHERE token.token_hash = $1 AND token.kind = 'refresh' AND token.used_at IS NOT NULL
  AND session.id = token.session_id AND session.revoked_at IS NULL
RETURNING session.id, session.user_id;

-- name: identity
-- Whose an access token is, while it and its session are good.
SELECT session.user_id, session.id AS session_id, token.expires_at
FROM session_tokens token JOIN user_sessions session ON session.id = token.session_id
WHERE token.token_hash = $1 AND token.kind = 'access' AND token.expires_at > now()
  AND session.revoked_at IS NULL;

-- name: revoke
-- Ends a session.
UPDATE user_sessions SET revoked_at = now() WHERE id = $1 AND revoked_at IS NULL;
