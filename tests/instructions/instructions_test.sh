#!/usr/bin/env bash
# How many instructions a small training step executes outside OpenBLAS, where everything that is xtape's own to save
# shows and no clock is needed. Counted by valgrind's callgrind as the difference between two runs, so that starting up
# cancels.
#
#   instructions_test.sh PROGRAM BUDGET_FILE               fails if a step takes over 1.1 times the budget; exit code 77,
#                                                          which ctest reports as skipped, where valgrind is missing or
#                                                          this processor has no AVX2
#   instructions_test.sh --self-test PROGRAM BUDGET_FILE   checks that a step over its budget fails, and that calls are not
#                                                          counted twice
#
# After a change that is meant to cost more, or that saves much, write the printed count into BUDGET_FILE.
set -euo pipefail

fewer=200
more=1200
headroom=1.1

# instructions_of PROFILE: what was executed outside OpenBLAS, and within. A profile tells the costs of lines, "line
# count", under the object ("ob=") they are in; an object has its name only where it first appears, there or as what is
# called ("cob="); after "calls=" stands what was called, counted where it is.
instructions_of() {
    awk '
        /^c?ob=/ {
            id = $1
            sub(/^c?ob=/, "", id)
            if (NF > 1) {
                is_blas[id] = /openblas|libblas/
            }
            if (/^ob=/) {
                in_blas = is_blas[id] + 0
            }
            next
        }
        /^calls=/ { skip = 1; next }
        /^[0-9+*-]/ {
            if (!skip) {
                count[in_blas] += $2
            }
            skip = 0
        }
        END { printf "%.0f %.0f\n", count[0], count[1] }' "$1"
}

# profile PROGRAM STEPS FILE: with everything chosen that the processor or the environment would choose.
profile() {
    local code=0 output
    output=$(env -u LD_PRELOAD XTAPE_SIMD=avx2 OPENBLAS_CORETYPE=Haswell OPENBLAS_NUM_THREADS=1 \
        valgrind --tool=callgrind --callgrind-out-file="$3" "$1" "$2" 2>&1) || code=$?
    if ((code != 0)) && [[ $output == *"this processor allows "* ]]; then
        echo "skipped: no AVX2 here"
        return 77
    fi
    ((code == 0)) || echo "$output"
    return "$code"
}

# count_steps PROGRAM SCRATCH: leaves the counts a step in `outside` and `inside`.
count_steps() {
    local before after
    profile "$1" "$fewer" "$2/fewer" || return
    profile "$1" "$more" "$2/more" || return
    read -r -a before < <(instructions_of "$2/fewer")
    read -r -a after < <(instructions_of "$2/more")
    outside=$(((after[0] - before[0]) / (more - fewer)))
    inside=$(((after[1] - before[1]) / (more - fewer)))
}

# judge COUNT BUDGET
judge() {
    local limit
    limit=$(awk "BEGIN { printf \"%.0f\", $2 * $headroom }")
    if (($1 <= 0 || $1 > limit)); then
        echo "a training step executes $1 instructions outside OpenBLAS; the budget is $2, $limit with its headroom"
        return 1
    fi
    echo "a training step executes $1 instructions outside OpenBLAS, within its budget of $2"
    if (($1 * 10 < $2 * 9)); then
        echo "that is less than 0.9 of it: the budget can be lowered"
    fi
}

self_test=
if [[ $1 == --self-test ]]; then
    self_test=1
    shift
fi
program=$1
budget=$(sed -n 's/^instructions_a_step = \([0-9]*\)$/\1/p' "$2")
[[ -n $budget ]] || { echo "$2 tells no instructions_a_step"; exit 1; }
if ! command -v valgrind >/dev/null; then
    echo "skipped: no valgrind here (Debian: apt-get install valgrind)"
    exit 77
fi
scratch=$(mktemp -d)
trap 'rm -rf "$scratch"' EXIT

if [[ $self_test ]]; then
    cat >"$scratch/profile" <<'END'
ob=(1) /usr/bin/program
fn=(1) main
3 100
+1 20
cob=(2) /usr/lib/libopenblas.so.0
cfn=(2) sgemm
calls=2 0
* 5000

ob=(2)
fn=(2)
0 2000
ob=(3) /usr/lib/libopenblas.so.0
fn=(3) kernel
0 3000
ob=(1)
fn=(4) other
-2 7
END
    # (2) is named only where it is called.
    counts=$(instructions_of "$scratch/profile")
    [[ $counts == "127 5000" ]] || { echo "a profile of 127 and 5000 instructions was read as $counts"; exit 1; }
    if judge "$((budget * 2))" "$budget" >/dev/null; then
        echo "twice the budget was let pass"
        exit 1
    fi
    judge "$budget" "$budget" >/dev/null || { echo "the budget itself was not let pass"; exit 1; }
    # A training that goes wrong is no count.
    code=0
    profile "$program" 0 "$scratch/none" >/dev/null || code=$?
    ((code == 2)) || { echo "a program that fails gave exit code $code, not 2"; exit 1; }
    exit 0
fi

count_steps "$program" "$scratch"
echo "inside OpenBLAS: $inside"
judge "$outside" "$budget"
