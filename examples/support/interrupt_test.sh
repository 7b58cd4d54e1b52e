#!/usr/bin/env bash
# interrupt_test.sh PROGRAM FOLDER: Ctrl-C ends training in good order: the report is printed, the weights are kept.
set -euo pipefail
program=$1 folder=$2
rm -rf "$folder"
mkdir -p "$folder"

"$program" --epochs 1000000 --output "$folder" >"$folder/log" &
pid=$!
trap 'kill -KILL $pid 2>/dev/null || true' EXIT
for _ in {1..600}; do  # until the first epoch ended, for at most a minute
    grep -q '^epoch' "$folder/log" && break
    sleep 0.1
done
kill -INT $pid
wait $pid || { echo "exit code $? after an interrupt"; exit 1; }
trap - EXIT

cat "$folder/log" | tail -n 25
grep -q '^stopped by Ctrl-C after [0-9.]* of 1000000 epochs$' "$folder/log"
grep -q '^test accuracy: [0-9.]*%$' "$folder/log"
test -s "$folder/digits-weights.npz"
