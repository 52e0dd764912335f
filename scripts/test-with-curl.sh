#!/usr/bin/env bash
# Checks every endpoint of a running server with curl, and says what share of the checks passed.
#
#   ./scripts/test-with-curl.sh [PORT | BASE_URL]      default: $BASE_URL, or $PORT, or 3000
#
# VERBOSE=true shows each answer. What needs a worker is skipped, and said so, when none is connected. Leaves a
# user and a few finished tasks behind.
# Exit code: 0 when every check passed, 1 when one failed or no server listens, 64 for a wrong call.
set -uo pipefail

usage() { sed -n '2,/^set /{/^set /d;s/^# \{0,1\}//;p;}' "$0"; }

case "${1:-}" in
    -h | --help) usage; exit 0 ;;
    "") BASE="${BASE_URL:-http://127.0.0.1:${PORT:-3000}}" ;;
    http://* | https://*) BASE="$1" ;;
    *[!0-9]*) echo "test-with-curl: '$1' is neither a port nor a URL." >&2; usage >&2; exit 64 ;;
    *) BASE="http://127.0.0.1:$1" ;;
esac
[ $# -le 1 ] || { echo "test-with-curl: one argument at most." >&2; usage >&2; exit 64; }
BASE="${BASE%/}"
command -v curl >/dev/null || { echo "test-with-curl: curl is not installed." >&2; exit 64; }

TMP="$(mktemp -d)"
trap 'rm -rf "$TMP"' EXIT

PASSED=0 FAILED=0 SKIPPED=0
STATUS="" BODY="" HEAD="" TOKEN="" CALLS=0
JSON=()
# Header names come in any case.
shopt -s nocasematch

# request METHOD PATH [BODY] [HEADER...]: sets STATUS, HEAD and BODY. Sends TOKEN when it is set.
request() {
    local method="$1" path="$2" body="${3:-}"
    shift; shift; [ $# -eq 0 ] || shift
    CALLS=$((CALLS + 1))
    local arguments=(-sS --max-time 20 -X "$method" -D "$TMP/head" -o "$TMP/$CALLS" --stderr "$TMP/error" -w '%{http_code}')
    [ -z "$TOKEN" ] || arguments+=(-H "Authorization: Bearer $TOKEN")
    [ -z "$body" ] || arguments+=(-H 'Content-Type: application/json' --data-binary "$body")
    local header
    for header in "$@"; do arguments+=(-H "$header"); done
    : >"$TMP/head"; : >"$TMP/$CALLS"
    STATUS="$(curl "${arguments[@]}" "$BASE$path")" || STATUS="none ($(head -1 "$TMP/error"))"
    # No tr or cat here: with some ninety requests, each further process would cost more than the requests do.
    HEAD="$(<"$TMP/head")"
    BODY="$(<"$TMP/$CALLS")"
    if [[ "$HEAD" == *content-type:*json* ]]; then JSON+=("$TMP/$CALLS"); fi
    [ "${VERBOSE:-false}" != true ] || printf '    %s %s -> %s %s\n' "$method" "$path" "$STATUS" "$BODY"
}

pass() { PASSED=$((PASSED + 1)); printf '  PASS  %s\n' "$1"; }
fail() { FAILED=$((FAILED + 1)); printf '  FAIL  %s: %s\n' "$1" "$2"; }
skip() { SKIPPED=$((SKIPPED + 1)); printf '  SKIP  %s: %s\n' "$1" "$2"; }

# has KEY...: whether BODY has all these members.
has() {
    local key
    for key in "$@"; do
        [[ "$BODY" =~ \"$key\"[[:space:]]*: ]] || { MISSING="$key"; return 1; }
    done
}

# text KEY: the first string member of this name in BODY.
text() { [[ "$BODY" =~ \"$1\"[[:space:]]*:[[:space:]]*\"([^\"]*)\" ]] && printf '%s' "${BASH_REMATCH[1]}"; }

# expect NAME STATUS [KEY...]: judges the last answer.
expect() {
    local name="$1" wanted="$2"
    shift 2
    if [ "$STATUS" != "$wanted" ]; then
        fail "$name" "expected $wanted, got $STATUS ${BODY:0:200}"
    elif ! has "$@"; then
        fail "$name" "the answer has no \"$MISSING\": ${BODY:0:200}"
    elif [ "$wanted" -ge 400 ] && [[ "$HEAD" != *"application/problem+json"* ]]; then
        fail "$name" "the error is not problem+json: ${BODY:0:200}"
    else
        pass "$name"
        return 0
    fi
    return 1
}

# check NAME STATUS KEYS METHOD PATH [BODY] [HEADER...]: one request and its judgement; KEYS by blanks.
check() {
    local name="$1" wanted="$2" keys="$3"
    shift 3
    request "$@"
    # shellcheck disable=SC2086  # KEYS is a list
    expect "$name" "$wanted" $keys
}

# header NAME PART: whether the last answer's head has this.
header() { if [[ "$HEAD" == *"$2"* ]]; then pass "$1"; else fail "$1" "no '$2' among the headers"; fi; }

# status_becomes ID STATUS: waits up to 15 s for a task to have a status.
status_becomes() {
    local tries=0
    while [ $tries -lt 75 ]; do
        request GET "/tasks/$1"
        [ "$(text status)" != "$2" ] || return 0
        tries=$((tries + 1))
        sleep 0.2
    done
    return 1
}

TASK="id type status payload result error priority attempts losses max_attempts run_at created_at started_at finished_at worker"
PROBLEM="type title status"
MARK="$$-$RANDOM$RANDOM"
EMAIL="curl-$MARK@test.example"
SECRET="curl-$MARK-Pa55"

test_health() {
    echo "Health"
    check "GET /health" 200 "status" GET /health
    check "GET /health/live" 200 "status" GET /health/live
    check "GET /health/ready" 200 "status" GET /health/ready
    check "GET /health/detailed" 200 "status database queue workers circuit_breakers" GET /health/detailed
    WORKERS=no
    if [[ "$BODY" =~ \"workers\"[[:space:]]*:[[:space:]]*\[[[:space:]]*\{ ]]; then WORKERS=yes; fi
    check "GET /metrics" 200 "" GET /metrics
    if [[ "$BODY" == *"# TYPE http_requests_total counter"* ]]; then pass "metrics are Prometheus text"
    else fail "metrics are Prometheus text" "no request counter"; fi
    check "GET /openapi.json" 200 "openapi paths" GET /openapi.json
    check "GET /docs" 200 "" GET /docs
}

test_errors() {
    echo "Errors"
    check "an unknown path" 404 "$PROBLEM" GET /nothing-here
    check "a wrong method" 405 "$PROBLEM" PUT /tasks
    header "a wrong method names the right ones" "allow:"
    check "no token" 401 "$PROBLEM" GET /tasks
    header "no token is challenged" "www-authenticate: bearer"
    TOKEN=nonsense
    check "a bad token" 401 "$PROBLEM" GET /auth/me
    TOKEN=""
}

test_auth() {
    echo "Auth"
    local user="{\"email\":\"$EMAIL\",\"password\":\"$SECRET\",\"name\":\"Curl\"}"
    check "POST /auth/register" 201 "id email name created_at" POST /auth/register "$user"
    check "registering twice" 409 "$PROBLEM" POST /auth/register "$user"
    check "a bad address" 422 "$PROBLEM errors" POST /auth/register '{"email":"nobody","password":"long enough"}'
    check "a short password" 422 "$PROBLEM errors" POST /auth/register "{\"email\":\"x$EMAIL\",\"password\":\"x\"}"
    check "a broken body" 400 "$PROBLEM" POST /auth/login '{"email":'
    check "a wrong password" 401 "$PROBLEM" POST /auth/login "{\"email\":\"$EMAIL\",\"password\":\"wrong\"}"
    check "POST /auth/login" 200 "token refresh_token expires_at user" POST /auth/login "$user"
    TOKEN="$(text token)"
    local refresh; refresh="$(text refresh_token)"
    check "GET /auth/me" 200 "id email name created_at" GET /auth/me
    check "POST /auth/refresh" 200 "token refresh_token" POST /auth/refresh "{\"refresh_token\":\"$refresh\"}"
    TOKEN="$(text token)"
    check "a refresh token used twice" 401 "$PROBLEM" POST /auth/refresh "{\"refresh_token\":\"$refresh\"}"
    check "reuse has ended the session" 401 "$PROBLEM" GET /auth/me
    TOKEN=""
    request POST /auth/login "$user"
    TOKEN="$(text token)"
}

test_tasks() {
    echo "Tasks"
    local order='{"type":"delay","payload":{"seconds":0.01}}' id other mine
    # Scheduled far off, so that no worker takes it while it is looked at.
    local later='{"type":"delay","payload":{"seconds":0},"run_at":"2099-01-01T00:00:00Z","priority":3}'
    check "POST /tasks" 201 "$TASK" POST /tasks "$later"
    id="$(text id)"
    header "a new task has a place" "location: /tasks/$id"
    check "GET /tasks/{id}" 200 "$TASK" GET "/tasks/$id"
    check "the first use of a key" 201 "$TASK" POST /tasks "$later" "Idempotency-Key: $MARK"
    other="$(text id)"
    check "the same request again" 200 "$TASK" POST /tasks "$later" "Idempotency-Key: $MARK"
    header "the repeat says so" "idempotent-replayed: true"
    if [ "$(text id)" = "$other" ]; then pass "the repeat gives the same task"; else fail "the repeat gives the same task" "$BODY"; fi
    check "the key for another request" 422 "$PROBLEM" POST /tasks "$order" "Idempotency-Key: $MARK"
    check "a bad payload" 422 "$PROBLEM errors" POST /tasks '{"type":"delay","payload":{"seconds":-1}}'
    check "no type" 422 "$PROBLEM errors" POST /tasks '{"payload":{}}'
    check "a broken task" 400 "$PROBLEM" POST /tasks '{"type"'
    check "GET /tasks" 200 "items next_cursor" GET "/tasks?limit=1"
    local cursor; cursor="$(text next_cursor)"
    check "the next page" 200 "items next_cursor" GET "/tasks?limit=1&cursor=$cursor"
    if [ "$(text id)" = "$id" ]; then pass "the next page goes on where the first ended"; else fail "the next page goes on where the first ended" "$BODY"; fi
    check "filters" 200 "items" GET "/tasks?status=pending&type=delay&created_after=2020-01-01T00:00:00Z"
    check "a bad filter" 422 "$PROBLEM errors" GET "/tasks?status=done"
    check "a bad cursor" 400 "$PROBLEM" GET "/tasks?cursor=nonsense"
    check "an unknown task" 404 "$PROBLEM" GET /tasks/00000000-0000-7000-8000-000000000000
    check "deleting a pending task" 409 "$PROBLEM" DELETE "/tasks/$id"
    check "retrying a pending task" 409 "$PROBLEM" POST "/tasks/$id/retry"
    check "POST /tasks/{id}/cancel" 200 "$TASK" POST "/tasks/$id/cancel"
    check "cancelling twice" 409 "$PROBLEM" POST "/tasks/$id/cancel"
    check "POST /tasks/{id}/retry" 200 "$TASK" POST "/tasks/$id/retry"
    request POST "/tasks/$id/cancel"
    mine="$TOKEN"
    stranger_sees_nothing "$id"
    TOKEN="$mine"
    check "DELETE /tasks/{id}" 204 "" DELETE "/tasks/$id"
    check "a deleted task" 404 "$PROBLEM" GET "/tasks/$id"
    request POST "/tasks/$other/cancel"
    check "GET /tasks/types" 200 "items" GET /tasks/types
    check "GET /tasks/circuit-breakers" 200 "items" GET /tasks/circuit-breakers
    TOKEN=""
    check "GET /tasks/stats without a token" 200 "created pending running completed failed cancelled dead_letter" GET /tasks/stats
    TOKEN="$mine"
}

stranger_sees_nothing() {
    local stranger="{\"email\":\"other-$EMAIL\",\"password\":\"$SECRET\"}"
    TOKEN=""
    request POST /auth/register "$stranger"
    request POST /auth/login "$stranger"
    TOKEN="$(text token)"
    check "another user's task" 404 "$PROBLEM" GET "/tasks/$1"
    check "deleting another user's task" 404 "$PROBLEM" DELETE "/tasks/$1"
}

test_work() {
    echo "Work and dead letters"
    check "GET /tasks/dead-letter" 200 "items next_cursor" GET /tasks/dead-letter
    check "requeueing an unknown task" 404 "$PROBLEM" POST /tasks/dead-letter/00000000-0000-7000-8000-000000000000/requeue
    check "deleting an unknown dead letter" 404 "$PROBLEM" DELETE /tasks/dead-letter/00000000-0000-7000-8000-000000000000
    if [ "$WORKERS" = yes ]; then
        work_is_done
    else
        skip "a task is worked on" "no worker is connected"
        skip "a task of an unknown type becomes a dead letter" "no worker is connected"
    fi
    check "DELETE /tasks/dead-letter" 200 "deleted" DELETE /tasks/dead-letter
}

work_is_done() {
    local id
    request POST /tasks '{"type":"delay","payload":{"seconds":0.01},"priority":100}'
    id="$(text id)"
    if status_becomes "$id" completed; then pass "a task is worked on"; else fail "a task is worked on" "after 15 s: ${BODY:0:300}"; fi
    # A type of its own each time: the circuit of this type is open afterwards.
    request POST /tasks "{\"type\":\"curl_unknown_$MARK\",\"payload\":{}}"
    id="$(text id)"
    if status_becomes "$id" failed; then pass "a task of an unknown type becomes a dead letter"
    else fail "a task of an unknown type becomes a dead letter" "after 15 s: ${BODY:0:300}"; return; fi
    check "the dead letter is listed" 200 "items" GET /tasks/dead-letter
    if [[ "$BODY" == *"$id"* ]]; then pass "it is this one"; else fail "it is this one" "${BODY:0:300}"; fi
    check "POST /tasks/dead-letter/{id}/requeue" 200 "$TASK" POST "/tasks/dead-letter/$id/requeue"
    # Its type is still unknown, so it comes back by itself.
    if status_becomes "$id" failed; then check "DELETE /tasks/dead-letter/{id}" 204 "" DELETE "/tasks/dead-letter/$id"
    else fail "DELETE /tasks/dead-letter/{id}" "the requeued task did not fail again: ${BODY:0:300}"; fi
}

test_logout() {
    echo "Logout"
    check "POST /auth/logout" 204 "" POST /auth/logout
    check "the token is dead" 401 "$PROBLEM" GET /auth/me
    TOKEN=""
}

# One process for all answers: starting one for each would take longer than all the requests.
test_json() {
    command -v python3 >/dev/null || { skip "every JSON answer is well formed" "there is no python3"; return; }
    local bad
    if bad="$(python3 - "${JSON[@]}" <<'PYTHON'
import json, pathlib, sys
for path in map(pathlib.Path, sys.argv[1:]):
    try:
        json.loads(path.read_bytes())
    except ValueError as error:
        sys.exit(f"{error}: {path.read_bytes()[:200]!r}")
PYTHON
    2>&1)"; then pass "every JSON answer is well formed"; else fail "every JSON answer is well formed" "$bad"; fi
}

if ! curl -s -o /dev/null --max-time 10 "$BASE/health/live"; then
    echo "No server answers at $BASE. Start one with ./scripts/test-server.sh, or name another port or URL." >&2
    exit 1
fi
echo "Testing $BASE"
test_health
test_errors
test_auth
test_tasks
test_work
test_logout
test_json

TOTAL=$((PASSED + FAILED))
echo
echo "API Test Results"
echo "================"
echo "Total tests: $TOTAL"
echo "Passed: $PASSED"
echo "Failed: $FAILED"
[ $SKIPPED -eq 0 ] || echo "Skipped: $SKIPPED"
# Rounded down: 100% means all of them.
echo "Success rate: $((PASSED * 100 / (TOTAL > 0 ? TOTAL : 1)))%"
[ $FAILED -eq 0 ]
