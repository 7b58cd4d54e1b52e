#!/usr/bin/env bash
# Every symbol that a kernel object offers to the linker carries its instruction set in its (mangled) name, and no other
# object of the library offers the same one.
#
#   kernel_symbols_test.sh NM --arch ARCH OBJECT... [--arch ARCH OBJECT...]... [--rest OBJECT...]
#   kernel_symbols_test.sh --self-test NM CXX
#
# Were the same weak symbol in objects of two instruction sets, the linker would keep one for all of them, and an old
# processor might be handed AVX-512 code. See cmake/XtapeKernels.cmake.
set -euo pipefail

# check NM --arch ARCH OBJECT... --rest OBJECT...: prints strays, and fails if there are any or an instruction set shows no symbol.
check() {
    local nm=$1 arch= object name type rest symbols failures=0
    local -A owner=() looked=()
    shift
    while (($#)); do
        if [[ $1 == --arch ]]; then
            arch=$2
            looked[$arch]=0
            shift 2
            continue
        fi
        if [[ $1 == --rest ]]; then
            arch=
            shift
            continue
        fi
        object=$1
        shift
        symbols=$("$nm" --extern-only --defined-only --format=posix "$object") || return 1
        while read -r name type rest; do
            # The pointer to a personality routine: data, the same in all objects.
            [[ -z $name || $name == DW.ref.* ]] && continue
            if [[ -z $arch ]]; then
                if [[ ${owner[$name]+set} ]]; then
                    echo "$object: symbol $name (type $type) is also in an object for ${owner[$name]}"
                    failures=$((failures + 1))
                fi
                continue
            fi
            looked[$arch]=$((looked[$arch] + 1))
            if [[ $name != *"$arch"* ]]; then
                echo "$object: symbol $name (type $type) has no '$arch' in its name"
                failures=$((failures + 1))
            elif [[ ${owner[$name]:-$arch} != "$arch" ]]; then
                echo "$object: symbol $name (type $type) is also in an object for ${owner[$name]}"
                failures=$((failures + 1))
            fi
            owner[$name]=$arch
        done <<<"$symbols"
    done
    ((${#looked[@]} > 0)) || return 1
    for arch in "${!looked[@]}"; do
        echo "$arch: ${looked[$arch]} symbols"
        ((looked[$arch] > 0)) || failures=$((failures + 1))
    done
    ((failures == 0))
}

# The check against objects made to break it.
self_test() {
    local nm=$1 cxx=$2 dir failures=0
    dir=$(mktemp -d)
    trap "rm -rf '$dir'" EXIT
    echo 'namespace avx2 { int kernel() { return 1; } }' >"$dir/good.cpp"
    echo 'namespace sse2 { int kernel() { return 1; } }' >"$dir/good_sse2.cpp"
    echo 'inline int stray() { return 1; } namespace avx2 { int (*pointer)() = &stray; }' >"$dir/weak.cpp"
    echo 'int stray() { return 1; }' >"$dir/strong.cpp"
    echo 'namespace sse2 { inline int avx2() { return 1; } int (*pointer)() = &avx2; }' >"$dir/shared.cpp"
    echo 'namespace { int hidden() { return 1; } } namespace avx2 { int kernel() { return hidden(); } }' >"$dir/local.cpp"
    echo '' >"$dir/empty.cpp"
    for source in "$dir"/*.cpp; do
        "$cxx" -c -O0 -o "${source%.cpp}.o" "$source"
    done

    expect() { # expect passes|fails WHAT ARGUMENTS...
        local wanted=$1 what=$2 got=passes output
        shift 2
        output=$(check "$nm" "$@" 2>&1) || got=fails
        if [[ $got != "$wanted" ]]; then
            echo "wrong: the check $got on $what"
            echo "$output"
            failures=$((failures + 1))
        fi
    }
    expect passes "a symbol in the arch's namespace" --arch avx2 "$dir/good.o"
    expect passes "a symbol local to its object" --arch avx2 "$dir/local.o"
    expect passes "two archs, each with its own" --arch sse2 "$dir/good_sse2.o" --arch avx2 "$dir/good.o"
    expect fails "a weak symbol without the arch" --arch avx2 "$dir/weak.o"
    expect fails "a strong symbol without the arch" --arch avx2 "$dir/strong.o"
    expect fails "another arch's symbol" --arch sse2 "$dir/good.o"
    expect fails "a stray in the second arch only" --arch sse2 "$dir/good_sse2.o" --arch avx2 "$dir/weak.o"
    expect fails "one symbol in two archs" --arch sse2 "$dir/shared.o" --arch avx2 "$dir/shared.o"
    expect passes "other objects with their own" --arch avx2 "$dir/good.o" --rest "$dir/weak.o" "$dir/empty.o"
    expect fails "a kernel's symbol in another object" --arch avx2 "$dir/good.o" --rest "$dir/empty.o" "$dir/good.o"
    expect fails "an object without symbols" --arch avx2 "$dir/empty.o"
    expect fails "an object that is not there" --arch avx2 "$dir/good.o" "$dir/absent.o"
    expect fails "no objects at all"
    ((failures == 0)) && echo "the check passes and fails where it should"
}

if [[ ${1:-} == --self-test ]]; then
    self_test "$2" "$3"
else
    check "$@"
fi
