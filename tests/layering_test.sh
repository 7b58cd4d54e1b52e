#!/usr/bin/env bash
# Who includes whom: every #include of the source tree against the table "may include" in docs/design.md.
#
#   layering_test.sh ROOT               checks the tree
#   layering_test.sh --self-test ROOT   checks that the check fails on planted violations, under ROOT's own table
#
# Beyond the table: the library's own includes are spelled <xtape/...>, xtensor comes in through autograd/xtensor.hpp
# alone, and what the kernels include obeys the kernels' rule too.
set -euo pipefail

declare -A may_include  # folder -> "everything", or the folders it may include, separated by spaces
declare -A is_library
declare -A followed  # the rules that kernels include, once each
violations=0

complain() {
    echo "$1"
    violations=$((violations + 1))
}

# The rows of the table: | `folder/` ... | job | `folder`, `folder/file.hpp`, rules, everything, or other words |
read_table() {
    local design=$1 line folders cell folder names
    local row='^\|[[:space:]]*`([^`]+)`[[:space:]]*\|[^|]*\|([^|]*)\|'
    while IFS= read -r line; do
        [[ $line =~ $row ]] || continue
        folders=${BASH_REMATCH[1]} cell=${BASH_REMATCH[2]}
        if [[ $cell == *everything* ]]; then
            names=everything
        else
            names=
            [[ $cell == *"but rules"* ]] && names=rules
            while [[ $cell =~ \`([^\`]+)\`(.*) ]]; do
                names+=" ${BASH_REMATCH[1]%/}" cell=${BASH_REMATCH[2]}
            done
        fi
        for folder in $folders; do
            may_include[${folder%/}]=$names
            [[ $names == everything ]] || is_library[${folder%/}]=1
        done
    done <"$design"
    if ((${#may_include[@]} == 0)); then
        complain "$design: no table of folders found"
    fi
}

# The longest row of the table that holds a path.
folder_of() {
    local path=$1
    while [[ $path == */* ]]; do
        path=${path%/*}
        [[ -n ${may_include[$path]+set} ]] && break
    done
    echo "$path"
}

# Whether `folder` may include <xtape/target>.
allowed() {
    local folder=$1 target=$2 name
    # <xtape/nn.hpp> is nn's, <xtape/xtape.hpp> everybody's.
    [[ $target == xtape.hpp ]] && target=everything/xtape.hpp
    [[ $target != */* ]] && target=${target%.hpp}/$target
    [[ ${may_include[$folder]} == everything || $target == "$folder"/* ]] && return
    for name in ${may_include[$folder]}; do
        [[ $target == "$name" || $target == "$name"/* ]] && return
        [[ $name == rules && ${target##*/} == *rules*.hpp ]] && return
    done
    return 1
}

# Checks one line, "file:number:#include ...", as if its file were in `folder`.
check_line() {
    local root=$1 folder=$2 line=$3 target file path quote where
    local include='^([^:]+):([0-9]+):[[:space:]]*#[[:space:]]*include[[:space:]]*([<"])([^">]+)[">]'
    [[ $line =~ $include ]] || return 0
    file=${BASH_REMATCH[1]} where=${BASH_REMATCH[1]}:${BASH_REMATCH[2]}
    quote=${BASH_REMATCH[3]} path=${BASH_REMATCH[4]}
    if [[ $path == xtape/* ]]; then
        target=${path#xtape/}
        if ! allowed "$folder" "$target"; then
            complain "$where: $folder/ may not include <$path> (docs/design.md)"
        elif [[ " ${may_include[$folder]} " == *" rules "* && $target != "$folder"/* &&
            -z ${followed[$target]+set} ]]; then
            followed[$target]=1
            # The rules that kernels include are held to the kernels' own row.
            while IFS= read -r line; do
                check_line "$root" "$folder" "$line"
            done < <(includes_of "$root" "$target")
        fi
    elif [[ -n ${is_library[$folder]:-} ]]; then
        if [[ $quote == '"' ]]; then
            complain "$where: \"$path\" is to be spelled <xtape/folder/file.hpp>"
        elif [[ $path == xtensor-blas/* && $file == autograd/lapack.cpp ]]; then
            :  # the one place where LAPACK is called
        elif [[ $path =~ ^(xtensor|xtensor-blas|xtl)/ && $file != autograd/xtensor.hpp ]]; then
            complain "$where: <$path> comes in through <xtape/autograd/xtensor.hpp> alone"
        fi
    fi
}

# The #include lines of files, or of all files in folders, as "file:number:line".
includes_of() {
    local root=$1
    shift
    (cd "$root" && grep -HrnE --include='*.hpp' --include='*.cpp' '^[[:space:]]*#[[:space:]]*include' "$@" || true)
}

check_tree() {
    local root=$1 file= folder line lines=0 folders=() entry
    read_table "$root/docs/design.md"
    for entry in "$root"/*/; do
        entry=${entry%/}
        [[ ${entry##*/} == build* ]] || folders+=("${entry##*/}")
    done
    while IFS= read -r line; do
        lines=$((lines + 1))
        if [[ $file != "${line%%:*}" ]]; then
            file=${line%%:*}
            folder=$(folder_of "$file")
            [[ -n ${may_include[$folder]+set} ]] || complain "$file: docs/design.md has no row for $folder/"
        fi
        [[ -z ${may_include[$folder]+set} ]] || check_line "$root" "$folder" "$line"
    done < <(includes_of "$root" "${folders[@]}")
    echo "$lines includes, $violations violations"
    ((lines > 0 && violations == 0))
}

self_test() {
    local root=$1 dir failures=0
    dir=$(mktemp -d)
    trap "rm -rf '$dir'" EXIT

    expect() { # expect accepts|rejects FILE LINE
        local wanted=$1 file=$2 line=$3 got=accepts output
        rm -rf "${dir:?}"/*
        mkdir -p "$dir/docs" "$dir/autograd" "$dir/$(dirname "$file")"
        cp "$root/docs/design.md" "$dir/docs"
        echo '#include <xtape/autograd/tensor.hpp>' >"$dir/autograd/bad_rules.hpp"
        echo '#include <cmath>' >"$dir/autograd/good_rules.hpp"
        echo "$line" >"$dir/$file"
        output=$(check_tree "$dir") || got=rejects
        if [[ $got != "$wanted" ]] || [[ $wanted == rejects && $output != *":1: "* && $output != *"no row"* ]]; then
            echo "wrong: the check $got '$line' in $file"
            echo "$output"
            failures=$((failures + 1))
        fi
    }
    expect accepts nn/a.cpp '#include <xtape/autograd/tensor.hpp>'
    expect accepts nn/a.cpp '#include <xtape/nn/module.hpp>'
    expect accepts nn/a.cpp '#include <vector>'
    expect accepts autograd/a.cpp '#include <xtape/autograd/kernels/kernels.hpp>'
    expect accepts autograd/xtensor.hpp '#include <xtensor/xarray.hpp>'
    expect accepts autograd/kernels/a.cpp '#include <xtape/autograd/good_rules.hpp>'
    expect accepts tests/nn/a.cpp '#include <xtape/xtape.hpp>'
    expect rejects nn/a.hpp '#include <xtape/optim/sgd.hpp>'
    expect rejects nn/a.cpp '  #  include <xtape/optim.hpp>'
    expect rejects nn/a.cpp '#include <xtape/xtape.hpp>'
    expect rejects optim/a.cpp '#include <xtape/nn/module.hpp>'
    expect rejects data/a.cpp '#include <xtape/nn/module.hpp>'
    expect rejects io/a.cpp '#include <xtape/data/dataset.hpp>'
    expect rejects autograd/a.cpp '#include <xtape/io/npy.hpp>'
    expect rejects autograd/a.cpp '#include "autograd/tensor.hpp"'
    expect rejects nn/a.cpp '#include <xtensor/xarray.hpp>'
    expect rejects autograd/kernels/a.cpp '#include <xtape/autograd/tensor.hpp>'
    expect rejects autograd/kernels/a.cpp '#include <xtape/autograd/bad_rules.hpp>'
    expect rejects autograd/kernels/a.cpp '#include <xtensor/xarray.hpp>'
    expect rejects elsewhere/a.cpp '#include <vector>'
    ((failures == 0)) && echo "the check accepts and rejects what it should"
}

if [[ ${1:-} == --self-test ]]; then
    self_test "$2"
else
    check_tree "$1"
fi
