#!/usr/bin/env bash
# Sets up, builds the release preset and runs the benchmarks, which print their figures beside their limits.
set -euo pipefail
cd "$(dirname "${BASH_SOURCE[0]}")/.."
source scripts/common.sh

if [[ ${1:-} == --help || ${1:-} == -h ]]; then
    echo "usage: scripts/bench.sh [NAME...]"
    echo "Installs missing packages, builds the benchmarks in build/ and runs them, or only those named:"
    echo "  tape  what recording, replaying and dropping a node costs, beside a bare sketch of the design"
    echo "  mlp   a training step of five MLPs, beside one written by hand with cblas"
    echo "  ops   every elementwise op, beside the fastest loop that is right"
    echo "  reductions  every reduction along every axis of a matrix, beside memcpy"
    echo "  gradbench   gradients of GradBench's problems, beside gradients written by hand"
    echo "Fails if one is over its limit. Run it on an otherwise idle machine; docs/measured.md keeps the figures."
    echo "build/benchmarks/bench_mlp --help and its like list more options."
    exit 0
fi

names=("$@")
((${#names[@]})) || names=(tape mlp ops reductions gradbench)
for name in "${names[@]}"; do
    if [[ ! -f benchmarks/bench_$name.cpp ]]; then
        echo "bench: no benchmark is called $name; scripts/bench.sh --help lists them" >&2
        exit 2
    fi
done

scripts/setup.sh
configure
say "building the benchmarks"
cmake --build --preset release --target "${names[@]/#/bench_}"
failed=()
for name in "${names[@]}"; do
    say "running build/benchmarks/bench_$name"
    "build/benchmarks/bench_$name" || failed+=("$name")
done
if ((${#failed[@]})); then
    echo "bench: over a limit, or failed: ${failed[*]}" >&2
    exit 1
fi
