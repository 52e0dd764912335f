#!/usr/bin/env bash
# Registers a fresh user, logs in, and prints one line of JSON: {"token": "...", "user_id": "..."}
#
#   ./scripts/helpers/auth-helper.sh [--prefix P] [--url BASE_URL]
#
#   --prefix P     what the address begins with: letters, digits, '.', '_', '-'; default: chaos_test
#   --url URL      the server; default: $BASE_URL, or http://127.0.0.1:$PORT, or port 3000
#
# Exit code: 0, 1 when the server refused or does not answer, 64 for a wrong call.
set -uo pipefail

usage() { sed -n '2,/^set /{/^set /d;s/^# \{0,1\}//;p;}' "$0"; }
wrong() { echo "auth-helper: $1" >&2; usage >&2; exit 64; }

PREFIX=chaos_test
BASE="${BASE_URL:-http://127.0.0.1:${PORT:-3000}}"
while [ $# -gt 0 ]; do
    case "$1" in
        -h | --help) usage; exit 0 ;;
        --prefix | --url) [ $# -ge 2 ] || wrong "$1 needs a value." ;;
        *) wrong "'$1' is not known." ;;
    esac
    case "$1" in
        --prefix) PREFIX="$2" ;;
        --url) BASE="$2" ;;
    esac
    shift 2
done
[[ "$PREFIX" =~ ^[A-Za-z0-9._-]{1,30}$ ]] || wrong "--prefix is '$PREFIX'; it must be 1 to 30 of letters, digits, '.', '_', '-'."
[[ "$BASE" =~ ^https?://[^[:space:]]+$ ]] || wrong "--url is '$BASE'; it must begin with http:// or https://."
BASE="${BASE%/}"

# call PATH BODY: sets STATUS and BODY.
call() {
    local answer
    if ! answer="$(curl -sS --max-time 30 -w '\n%{http_code}' -H 'Content-Type: application/json' \
        --data-binary "$2" "$BASE$1" 2>&1)"; then
        echo "auth-helper: no server answers at $BASE: ${answer%%$'\n'*}" >&2
        echo "Start one with ./scripts/test-server.sh, or name another with --url." >&2
        exit 1
    fi
    STATUS="${answer##*$'\n'}"
    BODY="${answer%$'\n'*}"
}

refused() { echo "auth-helper: $1 was refused with $STATUS: $BODY" >&2; exit 1; }

# field NAME: the first string member of this name in BODY.
field() { [[ "$BODY" =~ \"$1\"[[:space:]]*:[[:space:]]*\"([^\"]*)\" ]] && printf '%s' "${BASH_REMATCH[1]}"; }

MARK="$(od -An -N8 -tx1 /dev/urandom | tr -d ' \n')"
SECRET="$(od -An -N16 -tx1 /dev/urandom | tr -d ' \n')"
USER="{\"email\":\"$PREFIX-$MARK@test.example\",\"password\":\"$SECRET\",\"name\":\"$PREFIX\"}"

call /auth/register "$USER"
[ "$STATUS" = 201 ] || refused "the registration"
USER_ID="$(field id)"
call /auth/login "$USER"
[ "$STATUS" = 200 ] || refused "the login"
printf '{"token": "%s", "user_id": "%s"}\n' "$(field token)" "$USER_ID"
