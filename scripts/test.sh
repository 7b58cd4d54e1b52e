#!/usr/bin/env bash
# Sets up, builds the release preset and runs every test. Arguments are handed to ctest (for one: -R autograd).
set -euo pipefail
cd "$(dirname "${BASH_SOURCE[0]}")/.."
source scripts/common.sh

if [[ ${1:-} == --help || ${1:-} == -h ]]; then
    echo "usage: scripts/test.sh [arguments for ctest]"
    echo "Installs missing packages, builds xtape with its tests, examples and benchmarks in build/, runs all tests."
    exit 0
fi

# Who reads and runs the files that the tests write.
scripts/setup.sh python3-numpy python3-onnx python3-opencv
configure
say "building (cmake --build --preset release)"
cmake --build --preset release
say "testing (ctest --preset release)"
ctest --preset release --parallel 2 "$@"
