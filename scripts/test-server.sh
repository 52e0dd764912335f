#!/usr/bin/env bash
# Starts the starter in the foreground, for tests by hand; Ctrl-C stops all of it.
#
#   ./scripts/test-server.sh [PORT]        default: 3000
set -euo pipefail

case "${1:-}" in
    -h | --help) sed -n '2,/^set /{/^set /d;s/^# \{0,1\}//;p;}' "$0"; exit 0 ;;
esac
# shellcheck source=lib/venv.sh
. "$(dirname "${BASH_SOURCE[0]}")/lib/venv.sh"
ensure_venv starter,docker
exec "$VENV/bin/capsize" up --foreground --port "${1:-${PORT:-3000}}"
