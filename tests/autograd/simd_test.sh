#!/usr/bin/env bash
# Runs tests with the kernels of one instruction set.
#
#   simd_test.sh LEVEL COMMAND...         runs the command under XTAPE_SIMD=LEVEL; exit code 77, which ctest reports as
#                                         skipped, where this processor lacks that instruction set
#   simd_test.sh --self-test COMMAND...   checks that a missing instruction set is skipped, and a failing command is not
set -euo pipefail

run_with() {
    local level=$1 output code=0
    shift
    output=$(XTAPE_SIMD=$level "$@" 2>&1) || code=$?
    echo "$output"
    if ((code != 0)) && [[ $output == *"this processor allows "* ]]; then
        echo "skipped: no $level here"
        return 77
    fi
    return "$code"
}

if [[ $1 == --self-test ]]; then
    shift
    code=0
    run_with absent "$@" >/dev/null || code=$?
    ((code == 77)) || { echo "a missing instruction set gave exit code $code, not 77"; exit 1; }
    code=0
    run_with sse2 false || code=$?
    ((code == 1)) || { echo "a failing command gave exit code $code, not 1"; exit 1; }
    exit 0
fi
run_with "$@"
