#!/usr/bin/env bash
# Before a deployment: the levels 1 to 3 one after the other, ended by the first that does not hold.
#
#   deploy-validation.sh [LEVEL ...]        other levels than 1 2 3
#
# OUTPUT_DIR: where the evidence goes (default chaos-results). SEED: the plans; the same for each level (default: drawn).
# CHAOS_ARGUMENTS: further flags of each run, as in "--scenarios baseline,worker-restart".
# Each run starts a stack of its own; nothing has to be up. Exit codes are those of capsize: 1 a promise was broken,
# 2 nothing was proved, which is no reason to deploy either.
set -euo pipefail

output="${OUTPUT_DIR:-chaos-results}"
levels=("$@")
[ "${#levels[@]}" -gt 0 ] || levels=(1 2 3)
seed="${SEED:-$((RANDOM * 32768 + RANDOM))}"

for level in "${levels[@]}"; do
    echo "== Level $level, seed $seed"
    code=0
    ./scripts/test-chaos.sh --difficulty "$level" --seed "$seed" --output "$output/level-$level" ${CHAOS_ARGUMENTS:-} || code=$?
    if [ "$code" -ne 0 ]; then
        echo "Not ready for deployment: level $level ended with $code. The evidence: $output/level-$level" >&2
        exit "$code"
    fi
done
echo "Ready for deployment: levels ${levels[*]} held."
