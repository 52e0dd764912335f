#!/usr/bin/env bash
# Submits many tasks, and says how many were accepted and how fast.
#
#   ./scripts/helpers/task-flood.sh --auth TOKEN [--count N] [--delay S] [--type T] [--url BASE_URL]
#
# The same as `capsize flood`; --help lists the flags. BASE_URL and PORT name the server, else it is port 3000.
set -euo pipefail

# shellcheck source=../lib/venv.sh
. "$(dirname "${BASH_SOURCE[0]}")/../lib/venv.sh"
ensure_venv starter,docker
exec "$VENV/bin/capsize" flood "$@"
