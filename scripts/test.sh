#!/usr/bin/env bash
# Runs every check of the project: style, types, import rules, tests. Arguments go to pytest.
#
#   ./scripts/test.sh                      everything but the slow tests
#   ./scripts/test.sh tests/unit -k level  these tests only, after the checks
#   ./scripts/test.sh -m slow              the slow ones
set -euo pipefail

# shellcheck source=lib/venv.sh
. "$(dirname "${BASH_SOURCE[0]}")/lib/venv.sh"
# The site of the docs is built in CI; at a desk its tests are skipped where it is not installed.
ensure_venv "starter,docker,test${CI:+,docs}"
cd "$ROOT"

step() {
    echo "== $*"
    "$VENV/bin/$@"
}

step ruff check .
step ruff format --check .
step mypy
step lint-imports --no-cache --no-logo
# The last -m wins, so that a caller may ask for the slow ones.
step pytest --durations=15 -m "not slow" --ignore=tests/quality "$@"
