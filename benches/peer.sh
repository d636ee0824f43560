#!/bin/bash
# The same templates through `stackwright` and through `terraform`, whole processes, one after the other.
# Prints a Markdown table: wall seconds and peak memory of plan, apply and a plan without changes.
# Usage: benches/peer.sh [INSTANCES …]   (default: 100 1000)
set -euo pipefail
cd "$(dirname "$0")/.."
unset TF_CLI_CONFIG_FILE
export CHECKPOINT_DISABLE=1 TF_IN_AUTOMATION=1

if ! command -v terraform >/dev/null 2>&1; then
    echo "bench-peer: skipped, there is no terraform on PATH to compare with"
    exit 0
fi
sizes=("$@")
[ "${#sizes[@]}" -gt 0 ] || sizes=(100 1000)
cargo build --release --quiet -p stackwright-cli -p stackwright-benches
stackwright=$PWD/target/release/stackwright
shape=$PWD/target/release/shape
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT

# measure FOLDER COMMAND… → "seconds memory-in-MB"
measure() {
    local folder=$1; shift
    python3 - "$folder" "$@" <<'PY'
import os, resource, subprocess, sys, time
folder, command = sys.argv[1], sys.argv[2:]
start = time.monotonic()
with open(os.path.join(folder, "log"), "ab") as log:
    done = subprocess.run(command, cwd=folder, stdout=log, stderr=log)
wall = time.monotonic() - start
peak = resource.getrusage(resource.RUSAGE_CHILDREN).ru_maxrss / 1024
if done.returncode:
    sys.exit(f"{' '.join(command)} failed, see {folder}/log")
print(f"{wall:.2f} s, {peak:.0f} MB")
PY
}

echo "| shape | instances | | plan | apply | plan without changes |"
echo "|---|---|---|---|---|---|"
for size in "${sizes[@]}"; do
    for name in flat count pair for_each layered chain; do
        for engine in stackwright terraform; do
            # Terraform needs minutes and gigabytes beyond this.
            [ "$engine" = terraform ] && [ "$size" -gt 1000 ] && continue
            folder=$work/$name-$size-$engine
            mkdir -p "$folder"
            "$shape" "$name" "$size" >"$folder/main.tf"
            program=$engine
            [ "$engine" = stackwright ] && program=$stackwright
            plan=$(measure "$folder" "$program" plan -input=false -no-color)
            apply=$(measure "$folder" "$program" apply -auto-approve -input=false -no-color)
            again=$(measure "$folder" "$program" plan -input=false -no-color)
            echo "| $name | $size | $engine | $plan | $apply | $again |"
        done
    done
done
