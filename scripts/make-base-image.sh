#!/usr/bin/env bash
# Makes base images for Docker out of this machine's Python and PostgreSQL's wheel, for where none can be pulled.
#
#   ./scripts/make-base-image.sh                 capsize-base-python:local and capsize-base-postgres:local
#   ./scripts/make-base-image.sh python          that one only
#
# The engine is that of DOCKER_HOST. Then: docker build --build-arg PYTHON_IMAGE=capsize-base-python:local .
set -euo pipefail

# shellcheck source=lib/venv.sh
. "$(dirname "${BASH_SOURCE[0]}")/lib/venv.sh"
ensure_venv starter,docker
exec "$VENV/bin/python" -m capsize.platforms.docker.base "$@"
