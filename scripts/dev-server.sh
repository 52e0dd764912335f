#!/usr/bin/env bash
# Starts the starter (PostgreSQL, API, 2 workers) in the background and returns when it is healthy.
# Does nothing when it is up on that port already. `capsize down` ends it.
#
#   ./scripts/dev-server.sh [PORT]         default: 3000
set -euo pipefail

case "${1:-}" in
    -h | --help) sed -n '2,/^set /{/^set /d;s/^# \{0,1\}//;p;}' "$0"; exit 0 ;;
esac
# shellcheck source=lib/venv.sh
. "$(dirname "${BASH_SOURCE[0]}")/lib/venv.sh"
ensure_venv starter,docker
"$VENV/bin/capsize" up --port "${1:-${PORT:-3000}}"
echo "Look: ./scripts/status.sh   Stop: $VENV/bin/capsize down"
