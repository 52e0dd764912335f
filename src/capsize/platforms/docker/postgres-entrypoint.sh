#!/bin/sh
# Makes a cluster at the first start and becomes PostgreSQL: the part of the official image's entry point that
# capsize and compose.yaml use. POSTGRES_USER, POSTGRES_PASSWORD, POSTGRES_DB, POSTGRES_INITDB_ARGS, PGDATA.
set -eu

if [ "${1:-}" = postgres ] && [ ! -s "$PGDATA/PG_VERSION" ]; then
    user="${POSTGRES_USER:-postgres}"
    database="${POSTGRES_DB:-$user}"
    if [ -z "${POSTGRES_PASSWORD:-}" ]; then
        echo "POSTGRES_PASSWORD is not set: a database needs a password for its superuser." >&2
        exit 1
    fi
    mkdir -p "$PGDATA"
    chmod 700 "$PGDATA"
    secret="$(mktemp)"
    printf '%s\n' "$POSTGRES_PASSWORD" >"$secret"
    # Without quotes: they are several arguments.
    initdb -D "$PGDATA" -U "$user" --pwfile="$secret" -A scram-sha-256 --no-instructions \
        -E UTF8 ${POSTGRES_INITDB_ARGS:-}
    rm -f "$secret"
    echo "host all all all scram-sha-256" >>"$PGDATA/pg_hba.conf"
    echo "listen_addresses = '*'" >>"$PGDATA/postgresql.conf"
    if [ "$database" != postgres ]; then
        echo "CREATE DATABASE \"$database\"" | postgres --single -j -D "$PGDATA" postgres >/dev/null
    fi
    # The mark by which a cluster counts as made is set by initdb before the lines above; a start that was cut
    # short in between leaves a cluster that nobody can reach, which is seen at once.
fi
exec "$@"
