#!/usr/bin/env bash
# Checks every endpoint of a running server, and says what share of the checks passed.
#
#   ./scripts/test-with-curl.sh [PORT | BASE_URL | HOST PORT]      default: $BASE_URL, or $PORT, or 3000
#
# The same as `capsize api-check`, which speaks HTTP by itself, so that curl need not be there.
# Exit code: 0 when every check passed, 1 when one failed or no server listens, 64 for a wrong call.
set -euo pipefail

# shellcheck source=lib/venv.sh
. "$(dirname "${BASH_SOURCE[0]}")/lib/venv.sh"
ensure_venv starter,docker
exec "$VENV/bin/capsize" api-check "$@"
