#!/usr/bin/env bash
# Brings the charting library that the reports carry to a version: ./scripts/refresh-uplot.sh 1.6.32
# Takes the package from the registry that npm is set up with, and writes down what was taken.
set -euo pipefail
cd "$(dirname "${BASH_SOURCE[0]}")/.."

version="${1:?Give the version, as in: ./scripts/refresh-uplot.sh 1.6.32}"
target=src/capsize/report/html/vendor/uplot
work="$(mktemp -d)"
trap 'rm -rf "$work"' EXIT

(cd "$work" && npm pack --silent "uplot@$version" >/dev/null && tar xzf ./*.tgz)
for file in dist/uPlot.iife.min.js dist/uPlot.min.css LICENSE; do
    cp "$work/package/$file" "$target/"
done
{
    echo "uplot@$version"
    (cd "$target" && sha256sum LICENSE uPlot.iife.min.js uPlot.min.css)
} >"$target/VERSION"
cat "$target/VERSION"
echo "Now run: .venv/bin/pytest tests/unit/report tests/integration/report"
