# Sourced by run: a Docker engine for the tests, one of our own where none answers.
#
#   need_engine       sets DOCKER_HOST, if it must; the engine that it started is ended by end_engine

ENGINE_DIR=""
ENGINE_PID=""

_engine_answers() {
    local socket="${DOCKER_HOST:-unix:///var/run/docker.sock}"
    case "$socket" in
    unix://*) curl --silent --fail --max-time 5 --unix-socket "${socket#unix://}" http://docker/_ping >/dev/null 2>&1 ;;
    *) curl --silent --fail --max-time 5 "http://${socket#*://}/_ping" >/dev/null 2>&1 ;;
    esac
}

need_compose() {
    { docker compose version || docker-compose version; } >/dev/null 2>&1 && return
    echo "== Docker: installing Compose"
    { apt-get update -qq && DEBIAN_FRONTEND=noninteractive apt-get install -y -qq docker-compose; } >/dev/null 2>&1 ||
        echo "docker-compose could not be installed" >&2
}

need_engine() {
    if _engine_answers; then
        echo "== Docker: the engine at ${DOCKER_HOST:-its usual socket}"
        return
    fi
    if ! command -v dockerd >/dev/null; then
        echo "== Docker: installing an engine"
        # It must not be started as a service: ours has its own folders, and ends with this script.
        { apt-get update -qq && DEBIAN_FRONTEND=noninteractive RUNLEVEL=1 apt-get install -y -qq docker.io; } >/dev/null 2>&1 ||
            echo "docker.io could not be installed" >&2
    fi
    ENGINE_DIR="$(mktemp -d /tmp/capsize-engine-XXXXXX)"
    dockerd --data-root "$ENGINE_DIR/data" --exec-root "$ENGINE_DIR/exec" --pidfile "$ENGINE_DIR/docker.pid" \
        --host "unix://$ENGINE_DIR/docker.sock" >"$ENGINE_DIR/dockerd.log" 2>&1 &
    ENGINE_PID=$!
    export DOCKER_HOST="unix://$ENGINE_DIR/docker.sock"
    for _ in $(seq 100); do
        _engine_answers && break
        kill -0 "$ENGINE_PID" 2>/dev/null || break
        sleep 0.1
    done
    if _engine_answers; then
        echo "== Docker: an engine of our own, process $ENGINE_PID"
    else
        # The tests that need it fail by themselves and say so.
        echo "== Docker: no engine could be started:" >&2
        tail -n 5 "$ENGINE_DIR/dockerd.log" >&2
    fi
}

end_engine() {
    [ -n "$ENGINE_PID" ] || return 0
    kill "$ENGINE_PID" 2>/dev/null || true
    wait "$ENGINE_PID" 2>/dev/null || true
    rm -rf "$ENGINE_DIR"
}
