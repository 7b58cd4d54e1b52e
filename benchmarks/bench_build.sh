#!/usr/bin/env bash
# What xtape costs to build with: compiling a ten-line gradient program at -O2, and the stripped shared library's size.
set -euo pipefail

usage() {
    cat <<'END'
usage: bench_build.sh [--json FILE] [--quick] BUILD_DIR

Compiles a ten-line gradient program at -O2 with the compiler of BUILD_DIR, beside xtensor's xarray.hpp alone and, where it
is installed, the same program for libtorch; and packs the library that is built there as a shared one, stripped.

  --json FILE  also add the figures to FILE, each as a line of JSON
  --quick      compile each once, not libtorch's, and judge no limit

Fails if compiling takes more than 2.5 s (the best of three) or the library has more than 5,000,000 bytes.
END
}

most_seconds=2.5
most_bytes=5000000
json= quick= build=
while (($#)); do
    case $1 in
        --json) json=${2:?--json wants a file}; shift ;;
        --quick) quick=1 ;;
        --help | -h) usage; exit 0 ;;
        -*) usage >&2; exit 2 ;;
        *) build=$1 ;;
    esac
    shift
done
[[ -n $build ]] || { usage >&2; exit 2; }
[[ -f $build/CMakeCache.txt ]] || { echo "bench_build: no build in $build" >&2; exit 1; }
scratch=$(mktemp -d)
trap 'rm -rf "$scratch"' EXIT

cached() {
    sed -n "s/^$1:[^=]*=//p" "$build/CMakeCache.txt"
}
compiler=$(cached CMAKE_CXX_COMPILER)

# less A B: whether the number A is less than B or equal.
less() {
    awk "BEGIN { exit !($1 <= $2) }"
}

# figure NAME MEASURED UNIT [TARGET]: prints a figure and adds it to the file.
failed=0
figure() {
    local verdict= target=
    if [[ -n ${4:-} ]]; then
        verdict=", limit $4"
        target=",\"wanted\":\"at most\",\"target\":$4"
        if ! less "$2" "$4" && [[ -z $quick ]]; then
            verdict+="  TOO MUCH"
            failed=1
        fi
    fi
    echo "$1: $2 $3$verdict"
    if [[ -n $json ]]; then
        echo "{\"benchmark\":\"build\",\"name\":\"$1\",\"measured\":$2,\"unit\":\"$3\"$target}" >>"$json"
    fi
}

# seconds_to_compile SOURCE TIMES FLAG...: the best.
seconds_to_compile() {
    local source=$1 times=$2 best= start taken
    shift 2
    for ((i = 0; i < times; i++)); do
        start=$EPOCHREALTIME
        "$compiler" -std=c++20 -O2 "$@" -c "$source" -o "$scratch/object.o" || return
        taken=$(awk "BEGIN { printf \"%.3f\", $EPOCHREALTIME - $start }")
        if [[ -z $best ]] || less "$taken" "$best"; then
            best=$taken
        fi
    done
    echo "$best"
}

# The README's.
cat >"$scratch/xtape.cpp" <<'END'
#include <iostream>
#include <xtape/autograd.hpp>

int main() {
    auto w = xtape::parameter(xt::xarray<double>{{1., 2.}, {3., 4.}});
    auto x = xt::xarray<double>{0.5, -1.};
    auto loss = mean(square(tanh(matmul(w, x)) - 0.5));
    loss.backward();
    std::cout << w.grad() << '\n';
}
END
cat >"$scratch/xarray.cpp" <<'END'
#include <xtensor/xarray.hpp>
int main() {}
END
cat >"$scratch/libtorch.cpp" <<'END'
#include <iostream>
#include <torch/torch.h>

int main() {
    auto w = torch::tensor({{1., 2.}, {3., 4.}}, torch::requires_grad());
    auto x = torch::tensor({0.5, -1.});
    auto loss = torch::mean(torch::square(torch::tanh(torch::matmul(w, x)) - 0.5));
    loss.backward();
    std::cout << w.grad() << '\n';
}
END

times=${quick:-3}
# Assigned before it is told: a compiler that fails is no figure.
taken=$(seconds_to_compile "$scratch/xtape.cpp" "$times" -I"$build/include")
figure "compiling a ten-line gradient program, -O2" "$taken" s "$most_seconds"
taken=$(seconds_to_compile "$scratch/xarray.cpp" "$times")
figure "compiling xtensor/xarray.hpp alone, -O2" "$taken" s
libtorch=/usr/include/torch/csrc/api/include
if [[ -z $quick && -f $libtorch/torch/torch.h ]]; then
    taken=$(seconds_to_compile "$scratch/libtorch.cpp" 1 -I"$libtorch")
    figure "compiling a ten-line gradient program for libtorch, -O2" "$taken" s
fi

library=$scratch/libxtape.so
if [[ -f $build/libxtape.so ]]; then
    cp --dereference "$build/libxtape.so" "$library"
else
    # The same position-independent objects.
    "$compiler" -shared -Wl,--whole-archive "$build/libxtape.a" -Wl,--no-whole-archive -o "$library"
fi
strip --strip-unneeded "$library"
figure "the shared library, stripped" "$(stat --format=%s "$library")" bytes "$most_bytes"
exit "$failed"
