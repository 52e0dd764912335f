#!/usr/bin/env bash
# Breaks the starter on purpose and tells what survived. No flag: the standard scenarios at level 1.
#
#   ./scripts/test-chaos.sh
#   ./scripts/test-chaos.sh --scenarios "baseline,worker-restart" --difficulty 3 --verbose
#
# Takes every flag of `capsize run` (--help lists them) and PORT, BASE_URL, OUTPUT_DIR and VERBOSE from the
# environment. Exit codes: 0 pass or partial, 1 fail, 2 nothing proved, 64 usage, 70 capsize broke.
set -euo pipefail

# shellcheck source=lib/venv.sh
. "$(dirname "${BASH_SOURCE[0]}")/lib/venv.sh"
ensure_venv starter,docker
exec "$VENV/bin/capsize" run "$@"
