#!/usr/bin/env bash
# Sets up, builds the release preset, runs the benchmarks one after the other, and writes benchmarks/results.md.
set -euo pipefail
cd "$(dirname "${BASH_SOURCE[0]}")/.."
source scripts/common.sh

all=(build allocations tape expression mlp training ops reductions gradbench scaling)

usage() {
    cat <<'END'
usage: scripts/bench.sh [--quick] [--peers] [NAME...]

Installs missing packages, builds the benchmarks in build/ and runs them one at a time, or only those named:
  build        what compiling a ten-line program takes, and the shared library's size
  allocations  allocator calls in a steady training step
  tape         what recording, replaying and dropping a node costs, beside a bare sketch of the design
  expression   a chain of elementwise ops, op by op and fused, beside loops written by hand
  mlp          a training step of five MLPs, beside one written by hand with cblas
  training     a training on MNIST with Adam, beside libtorch's
  ops          every elementwise op, beside the fastest loop that is right
  reductions   every reduction along every axis of a matrix, beside memcpy
  gradbench    gradients of GradBench's problems, beside gradients written by hand
  scaling      how time and memory grow with depth, width, batch and length

All of them together also write benchmarks/results.md and results.svg: every figure beside its target, and where it was
measured. Of some alone, or with --quick, build/benchmarks/results.md and results.svg tell.

  --quick  run everything once, in a minute or two: shows that it works, judges no figure
  --peers  first install the libraries that some benchmarks have columns for: libtorch (large), ADOL-C, Sacado

Fails if a figure is over its benchmark's limit or a result is wrong. Run it on an otherwise idle machine (15 minutes). Where
OpenBLAS does not know the processor (the page names the kernels it takes), set OPENBLAS_CORETYPE, to Haswell for one.
build/benchmarks/bench_mlp --help and its like list more options.
END
}

quick=() packages=(python3) names=()
for argument in "$@"; do
    case $argument in
        --help | -h) usage; exit 0 ;;
        --quick) quick=(--quick) ;;
        --peers) packages+=(libtorch-dev libadolc-dev libtrilinos-sacado-dev) ;;
        *)
            if [[ " ${all[*]} " != *" $argument "* ]]; then
                echo "bench: no benchmark and no option is called $argument; scripts/bench.sh --help lists them" >&2
                exit 2
            fi
            names+=("$argument")
            ;;
    esac
done
results=build/benchmarks/results.md
if ((${#names[@]} == 0)); then
    names=("${all[@]}")
    ((${#quick[@]})) || results=benchmarks/results.md
fi

scripts/setup.sh "${packages[@]}"
configure
say "building the benchmarks"
targets=(xtape)
for name in "${names[@]}"; do
    [[ $name == build ]] || targets+=("bench_$name")
done
cmake --build --preset release --target "${targets[@]}"

read -r load _ </proc/loadavg
if [[ ${#quick[@]} == 0 && ${load%.*} -ge 1 ]]; then
    # Building is what loads a machine that is idle otherwise: give it a minute to end.
    say "the load is $load: waiting a minute for the machine to calm down"
    sleep 60
    read -r load _ </proc/loadavg
    if [[ ${load%.*} -ge 1 ]]; then
        say "the load is still $load: something else runs here, and these figures will tell of it too"
    fi
fi

figures=build/benchmarks/figures.jsonl
: >"$figures"
failed=()
for i in "${!names[@]}"; do
    name=${names[i]}
    say "benchmark $((i + 1)) of ${#names[@]}: $name"
    if [[ $name == build ]]; then
        command=(benchmarks/bench_build.sh build)
    else
        command=("build/benchmarks/bench_$name")
    fi
    "${command[@]}" --json "$figures" "${quick[@]}" || failed+=("$name")
    if [[ $name == expression && -z ${XTAPE_SIMD:-} ]] && grep -qw avx512f /proc/cpuinfo; then
        # fuse has another target where there is no AVX-512.
        XTAPE_SIMD=avx2 "${command[@]}" --only xtape --json "$figures" "${quick[@]}" || failed+=("$name with AVX2")
    fi
done
benchmarks/report.py "$figures" build "$results"
if ((${#failed[@]})); then
    echo "bench: over a limit, or failed: ${failed[*]}" >&2
    exit 1
fi
