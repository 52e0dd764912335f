#!/usr/bin/env bash
# Shows the starter that is up: its processes, its health, its task counts. Exits 1 when none is up.
#
#   ./scripts/status.sh [--json]
set -euo pipefail

# shellcheck source=lib/venv.sh
. "$(dirname "${BASH_SOURCE[0]}")/lib/venv.sh"
ensure_venv starter,docker
exec "$VENV/bin/capsize" status "$@"
