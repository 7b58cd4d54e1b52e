#!/usr/bin/env bash
# Runs tests on an emulated processor that has the x86-64 baseline and nothing beyond: where an instruction of AVX or later
# is executed, it traps and the test dies. Nobody tells xtape or OpenBLAS so, but their own looking at the processor.
#
#   qemu_test.sh COMMAND...                        exit code 77, which ctest reports as skipped, where qemu-user is missing
#   qemu_test.sh --self-test COMPILER COMMAND...   checks that AVX traps there, that a failing program fails, and that
#                                                  COMMAND with the AVX2 kernels is refused
set -euo pipefail

qemu=$(command -v qemu-x86_64 || true)
if [[ -z $qemu ]]; then
    echo "skipped: no qemu-x86_64 here (Debian: apt-get install qemu-user)"
    exit 77
fi

# OpenBLAS takes its oldest kernels where it knows the processor; qemu64 is none that it knows.
emulate() {
    env -u XTAPE_SIMD OPENBLAS_CORETYPE=Prescott OPENBLAS_NUM_THREADS=1 "$qemu" -cpu qemu64 "$@"
}

if [[ $1 == --self-test ]]; then
    compiler=$2
    shift 2
    scratch=$(mktemp -d)
    trap 'rm -rf "$scratch"' EXIT
    cat >"$scratch/program.cpp" <<'END'
int main(int argc, char**) {
    if (argc > 1) {
        asm volatile("vaddps %%ymm0, %%ymm0, %%ymm0" : : : "xmm0");
        return 0;
    }
    return 3;
}
END
    "$compiler" -o "$scratch/program" "$scratch/program.cpp"
    code=0
    emulate "$scratch/program" || code=$?
    ((code == 3)) || { echo "a program that returns 3 gave exit code $code"; exit 1; }
    code=0
    (emulate "$scratch/program" avx) 2>/dev/null || code=$?
    ((code == 132)) || { echo "AVX gave exit code $code, not that of an illegal instruction, 132"; exit 1; }
    code=0
    output=$(XTAPE_SIMD=avx2 OPENBLAS_CORETYPE=Prescott "$qemu" -cpu qemu64 "$@" 2>&1) || code=$?
    if ((code == 0)) || [[ $output != *"this processor allows sse2"* ]]; then
        echo "XTAPE_SIMD=avx2 gave exit code $code and not the message that only sse2 is allowed:"
        echo "$output" | tail -n 20
        exit 1
    fi
    exit 0
fi
emulate "$@"
