#!/usr/bin/env bash
# Exports modules, and compares what others make of the files: check_onnx.py.
#
#   onnx_test.sh ONNX_MODELS               exit code 77, which ctest reports as skipped, where packages are missing
#   onnx_test.sh --self-test ONNX_MODELS   checks that the check fails on damaged files
set -euo pipefail

self_test=()
if [[ $1 == --self-test ]]; then
    self_test=(--self-test)
    shift
fi

python=
for candidate in python3 /usr/bin/python3; do
    if "$candidate" -c 'import cv2, numpy, onnx' 2>/dev/null; then
        python=$candidate
        break
    fi
done
if [[ -z $python ]]; then
    echo "skipped: no python3 with ONNX and OpenCV here (Debian: apt-get install python3-onnx python3-opencv)"
    exit 77
fi

scratch=$(mktemp -d)
trap 'rm -rf "$scratch"' EXIT
"$1" "$scratch"  # 77, and what to install, if xtape was configured without ONNX
PYTHONDONTWRITEBYTECODE=1 "$python" "$(dirname "$0")/check_onnx.py" "${self_test[@]}" "$scratch"
