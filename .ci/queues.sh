# Gives the tests of the task queues what they need: a redis-server, and the libraries in environments of their own.
#
#   need_queues        sets CAPSIZE_QUEUES to the folder with the environments main and arq

need_queues() {
    command -v redis-server >/dev/null || {
        apt-get update -q >/dev/null && DEBIAN_FRONTEND=noninteractive apt-get install -y -q redis-server >/dev/null
    }
    CAPSIZE_QUEUES="${CAPSIZE_QUEUES:-$PWD/.venv-queues}"
    export CAPSIZE_QUEUES
    local wanted=tests/integration/queues
    _queue_environment main "$wanted/requirements.txt"
    _queue_environment arq "$wanted/requirements-arq.txt"
}

# _queue_environment NAME REQUIREMENTS
_queue_environment() {
    [ -x "$CAPSIZE_QUEUES/$1/bin/python" ] || python3 -m venv "$CAPSIZE_QUEUES/$1"
    "$CAPSIZE_QUEUES/$1/bin/python" -m pip install -q --disable-pip-version-check -r "$2"
    "$CAPSIZE_QUEUES/$1/bin/python" -m pip install -q --disable-pip-version-check --no-deps -e .
}
