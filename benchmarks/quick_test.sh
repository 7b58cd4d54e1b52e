#!/usr/bin/env bash
# Runs every benchmark once, as little of it as shows that it works, and makes the report of their figures.
#
#   quick_test.sh BUILD_DIR
set -euo pipefail
here=$(cd "$(dirname "${BASH_SOURCE[0]}")" && pwd)
build=$1
scratch=$(mktemp -d)
trap 'rm -rf "$scratch"' EXIT
figures=$scratch/figures.jsonl

# What each runs of its own; the rest is in their --check, which is a test too.
declare -A only=([mlp]=64-64 [ops]=exp [gradbench]=ls)
names=(allocations tape expression mlp ops reductions gradbench scaling)
for name in "${names[@]}"; do
    echo "== $name"
    "$build/benchmarks/bench_$name" --quick --json "$figures" ${only[$name]:+--only "${only[$name]}"}
done
echo "== build"
"$here/bench_build.sh" --quick --json "$figures" "$build"
names+=(build)

if ! command -v python3 >/dev/null; then
    echo "no report, for want of python3"
    exit 0
fi
python3 "$here/report.py" "$figures" "$build" "$scratch/results.md"
for name in "${names[@]}"; do
    grep -q "^| $name |.*met" "$scratch/results.md" || { echo "the report has no target of $name"; exit 1; }
done
if command -v gnuplot >/dev/null; then
    grep -q "</svg>" "$scratch/results.svg" || { echo "the picture is not whole"; exit 1; }
    grep -q "results.svg" "$scratch/results.md" || { echo "the report does not show its picture"; exit 1; }
fi
# A line that is no figure is told of, not passed over.
echo '{"name": "half a' >>"$figures"
if python3 "$here/report.py" "$figures" "$build" "$scratch/results.md" 2>/dev/null; then
    echo "a line that is no figure was taken for one"
    exit 1
fi
