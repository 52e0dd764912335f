#!/usr/bin/env bash
# Breaks or mends a part of the starter that `dev-server.sh` brought up.
#
#   ./scripts/helpers/service-chaos.sh restart --service server --delay 30
#   ./scripts/helpers/service-chaos.sh kill|stop|start|pause --service server|worker|postgres [--delay N]
#
# "server" is the API. --delay N keeps it down (restart, stop) or frozen (pause) for N seconds and then
# brings it back; Ctrl-C brings it back at once. One instance alone: --service worker-1.
set -euo pipefail

# shellcheck source=../lib/venv.sh
. "$(dirname "${BASH_SOURCE[0]}")/../lib/venv.sh"
ensure_venv starter,docker
exec "$VENV/bin/capsize" strike "$@"
