#!/usr/bin/env bash
# Submits many tasks, and says how many were accepted and how fast.
#
#   ./scripts/helpers/task-flood.sh --auth TOKEN [--count N] [--delay S] [--type T] [--url BASE_URL]
#
#   --auth TOKEN   the bearer token of a user, as auth-helper.sh prints it
#   --count N      how many tasks, 1 to 100000; default: 100
#   --delay S      seconds that each task takes its worker, 0 to 3600; default: 0.1
#   --type T       the task type; default: delay. webhook tasks call the server's own /health/live, other known types
#                  get a small payload that fits them, and an unknown type gets {"seconds": S}
#   --url URL      the server; default: $BASE_URL, or http://127.0.0.1:$PORT, or port 3000
#
# Exit code: 0 when all were accepted, 1 when one was refused or no server answers, 64 for a wrong call.
set -uo pipefail

usage() { sed -n '2,/^set /{/^set /d;s/^# \{0,1\}//;p;}' "$0"; }
wrong() { echo "task-flood: $1" >&2; usage >&2; exit 64; }

COUNT=100 DELAY=0.1 TYPE=delay TOKEN=""
BASE="${BASE_URL:-http://127.0.0.1:${PORT:-3000}}"
while [ $# -gt 0 ]; do
    case "$1" in
        -h | --help) usage; exit 0 ;;
        --count | --delay | --type | --auth | --url) [ $# -ge 2 ] || wrong "$1 needs a value." ;;
        *) wrong "'$1' is not known." ;;
    esac
    case "$1" in
        --count) COUNT="$2" ;;
        --delay) DELAY="$2" ;;
        --type) TYPE="$2" ;;
        --auth) TOKEN="$2" ;;
        --url) BASE="$2" ;;
    esac
    shift 2
done
[[ "$COUNT" =~ ^[1-9][0-9]{0,5}$ ]] && [ "$COUNT" -le 100000 ] || wrong "--count is '$COUNT'; it must be 1 to 100000."
[[ "$DELAY" =~ ^[0-9]{1,4}(\.[0-9]{1,6})?$ ]] && [ "${DELAY%%.*}" -le 3600 ] || wrong "--delay is '$DELAY'; it must be 0 to 3600 seconds."
[[ "$TYPE" =~ ^[A-Za-z0-9_.:-]{1,100}$ ]] || wrong "--type is '$TYPE'; it must be letters, digits, '_', '.', ':', '-'."
[ -n "$TOKEN" ] || wrong "--auth is missing. Get a token with ./scripts/helpers/auth-helper.sh."
[[ "$TOKEN" =~ ^[A-Za-z0-9._~+/=-]+$ ]] || wrong "--auth is not a token."
[[ "$BASE" =~ ^https?://[^[:space:]]+$ ]] || wrong "--url is '$BASE'; it must begin with http:// or https://."
BASE="${BASE%/}"
# JSON knows no leading zeros.
[[ "$DELAY" =~ ^0*([0-9].*)$ ]] && DELAY="${BASH_REMATCH[1]}"

payload() {
    case "$TYPE" in
        webhook) printf '{"url":"%s/health/live","method":"GET"}' "$BASE" ;;
        email) printf '{"to":"flood@test.example","subject":"Flood","body":"One of many."}' ;;
        data_processing) printf '{"data":[1,2,3,4]}' ;;
        report_generation) printf '{"title":"Flood","columns":["n"],"rows":[[1]]}' ;;
        file_cleanup) printf '{"directory":"flood","dry_run":true}' ;;
        *) printf '{"seconds":%s}' "$DELAY" ;;
    esac
}

TMP="$(mktemp -d)"
trap 'rm -rf "$TMP"' EXIT
printf '{"type":"%s","payload":%s}' "$TYPE" "$(payload)" >"$TMP/body"
# One curl for all requests, on kept-alive connections: a process for each would be the limit of the rate. The
# number stands behind a '#', so it stays here and the server does not see it.
{
    printf 'url = "%s/tasks#[1-%s]"\n' "$BASE" "$COUNT"
    printf 'header = "Authorization: Bearer %s"\n' "$TOKEN"
    printf 'header = "Content-Type: application/json"\n'
    printf 'data-binary = "@%s"\n' "$TMP/body"
    printf 'output = "/dev/null"\nsilent\nparallel\nparallel-max = 8\nmax-time = 30\nwrite-out = "%%{http_code}\\n"\n'
} >"$TMP/config"

if ! curl -s -o /dev/null --max-time 10 "$BASE/health/live"; then
    echo "task-flood: no server answers at $BASE. Start one with ./scripts/test-server.sh, or name another with --url." >&2
    exit 1
fi
now() { date +%s%N; }
# macOS's date knows no nanoseconds.
case "$(now)" in *N) now() { echo "$(date +%s)000000000"; } ;; esac

BEGAN="$(now)"
curl --config "$TMP/config" >"$TMP/codes" 2>"$TMP/errors"
ELAPSED_MS=$((($(now) - BEGAN) / 1000000))

ACCEPTED="$(grep -c '^20[01]$' "$TMP/codes" || true)"
REFUSED=$((COUNT - ACCEPTED))
echo "Accepted: $ACCEPTED of $COUNT"
echo "Refused: $REFUSED"
[ "$REFUSED" -eq 0 ] || grep -v '^20[01]$' "$TMP/codes" | sort | uniq -c |
    while read -r number code; do
        [ "$code" != 000 ] || code="no answer"
        echo "  $number with $code"
    done
echo "Duration: $((ELAPSED_MS / 1000)).$(printf '%03d' $((ELAPSED_MS % 1000))) s"
echo "Rate: $((ACCEPTED * 1000 / (ELAPSED_MS > 0 ? ELAPSED_MS : 1))) tasks/s"
[ "$REFUSED" -eq 0 ]
