#!/usr/bin/env bash
# Registers a fresh user, logs in, and prints one line of JSON: {"token": "...", "user_id": "..."}
#
#   ./scripts/helpers/auth-helper.sh [--prefix P] [--url BASE_URL]
#
# The same as `capsize auth`; --help lists the flags. BASE_URL and PORT name the server, else it is port 3000.
set -euo pipefail

# shellcheck source=../lib/venv.sh
. "$(dirname "${BASH_SOURCE[0]}")/../lib/venv.sh"
ensure_venv starter,docker
exec "$VENV/bin/capsize" auth "$@"
