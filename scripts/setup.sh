#!/usr/bin/env bash
# Installs the Debian packages that xtape is built with, where they are missing. Quick when there is nothing to do.
set -euo pipefail

packages=(
    g++ cmake ninja-build ccache binutils       # the tools
    libxtensor-dev libxtensor-blas-dev          # arrays
    libxsimd-dev                                # SIMD kernels
    libopenblas-pthread-dev libopenblas-dev     # matrix products; LAPACK included
    libfmt-dev libcsv-dev libzip-dev            # messages, CSV, npz
    nlohmann-json3-dev                          # safetensors
    libonnx-dev libprotobuf-dev                 # ONNX (xtape can be built without)
    doctest-dev librapidcheck-dev               # tests
    libcli11-dev gnuplot-nox graphviz           # examples: their options, their pictures
    libbenchmark-dev                            # benchmarks
    python3                                     # the page made of their figures; tests: files read by others
    valgrind qemu-user                          # tests: instructions counted, and no instruction beyond the baseline
)

if [[ ${1:-} == --help || ${1:-} == -h ]]; then
    echo "usage: scripts/setup.sh [PACKAGE...]"
    echo "Installs these Debian packages, and those named, where they are missing, as root or through sudo:"
    printf '  %s\n' "${packages[@]}"
    exit 0
fi
if [[ ${1:-} == -* ]]; then
    echo "setup: unknown option $1; scripts/setup.sh --help tells what there is" >&2
    exit 2
fi
packages+=("$@")

if ! command -v dpkg-query >/dev/null || ! command -v apt-get >/dev/null; then
    echo "setup: this is no Debian (no apt-get). Install what corresponds to: ${packages[*]}" >&2
    exit 1
fi

# dpkg-query fails when a name is unknown to it: that package is simply not installed.
installed=$(dpkg-query --show --showformat='${db:Status-Status} ${Package}\n' "${packages[@]}" 2>/dev/null || true)
missing=()
for package in "${packages[@]}"; do
    grep -qxF "installed $package" <<<"$installed" || missing+=("$package")
done
if ((${#missing[@]} == 0)); then
    echo "setup: all ${#packages[@]} packages are installed"
    exit 0
fi

as_root=()
if ((EUID != 0)); then
    if ! command -v sudo >/dev/null; then
        echo "setup: not root and no sudo. As root, run: apt-get install ${missing[*]}" >&2
        exit 1
    fi
    as_root=(sudo)
fi

apt_get() {
    "${as_root[@]}" env DEBIAN_FRONTEND=noninteractive apt-get -qq -o DPkg::Lock::Timeout=120 "$@" </dev/null
}

echo "setup: installing ${missing[*]}"
# The package lists may be absent (a fresh machine) or too old to be served: only then is fetching them worth the time.
if ! apt_get install -y --no-install-recommends "${missing[@]}" >/dev/null 2>&1; then
    echo "setup: fetching the package lists first"
    apt_get update
    apt_get install -y --no-install-recommends "${missing[@]}" >/dev/null
fi
echo "setup: done"
