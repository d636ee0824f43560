#!/bin/bash
# The same templates through `stackwright` and through `terraform`, whole processes, one after the other.
# Prints Markdown: the machine's class, the versions, and a table with wall seconds, processor seconds and peak memory
# of the first plan, an apply (which plans again) and a plan that finds nothing to do.
#
# Usage: benches/peer.sh [INSTANCES …]   (default: 100 1000)
#        SHAPES="flat pair" benches/peer.sh 1000
#
# Nothing is downloaded: `terraform_data` is built into both. Every run has a folder of its own.
set -euo pipefail
cd "$(dirname "$0")/.."
unset TF_CLI_CONFIG_FILE TF_DATA_DIR TF_CLI_ARGS TF_WORKSPACE TF_LOG
export CHECKPOINT_DISABLE=1 TF_IN_AUTOMATION=1

if ! command -v terraform >/dev/null 2>&1; then
    echo "bench-peer: skipped, there is no terraform on PATH to compare with"
    exit 0
fi
# Terraform needs minutes and gigabytes beyond this.
terraform_most=1000
sizes=("$@")
[ "${#sizes[@]}" -gt 0 ] || sizes=(100 1000)
read -ra shapes <<<"${SHAPES:-flat count pair for_each layered chain}"
cargo build --release --quiet -p stackwright-cli -p stackwright-benches
stackwright=$PWD/target/release/stackwright
shape=$PWD/target/release/shape
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT

# measure FOLDER COMMAND… → "wall s · processor s · peak MB"; what it printed is shown where it failed.
measure() {
    python3 - "$@" <<'PY'
import resource, subprocess, sys, time
folder, command = sys.argv[1], sys.argv[2:]
start = time.monotonic()
done = subprocess.run(command, cwd=folder, stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=subprocess.STDOUT)
wall = time.monotonic() - start
used = resource.getrusage(resource.RUSAGE_CHILDREN)
if done.returncode:
    sys.stderr.write(done.stdout.decode(errors="replace")[-4000:])
    sys.exit(f"bench-peer: `{' '.join(command)}` failed")
print(f"{wall:.2f} s · {used.ru_utime + used.ru_stime:.2f} s · {used.ru_maxrss / 1024:.0f} MB")
PY
}

cores=$(getconf _NPROCESSORS_ONLN)
memory=$(awk '/MemTotal/ { printf "%.0f GB", $2 / 1048576 }' /proc/meminfo 2>/dev/null || echo "?")
echo "Machine: $cores cores, $memory, $(uname -s). $("$stackwright" version | head -1); $(terraform version | head -1)."
echo
echo "Each cell: seconds on the wall · processor seconds · peak memory."
echo
echo "| shape | instances | | plan | apply | plan without changes |"
echo "|---|--:|---|---|---|---|"
for size in "${sizes[@]}"; do
    for name in "${shapes[@]}"; do
        for engine in stackwright terraform; do
            program=$stackwright
            if [ "$engine" = terraform ]; then
                [ "$size" -le "$terraform_most" ] || continue
                program=terraform
            fi
            folder=$work/$name-$size-$engine
            mkdir "$folder"
            "$shape" "$name" "$size" >"$folder/main.tf"
            [ "$engine" = stackwright ] || (cd "$folder" && terraform init -input=false -no-color >init.log)
            plan=$(measure "$folder" "$program" plan -input=false -no-color)
            apply=$(measure "$folder" "$program" apply -auto-approve -input=false -no-color)
            again=$(measure "$folder" "$program" plan -input=false -no-color -detailed-exitcode)
            echo "| $name | $size | $engine | $plan | $apply | $again |"
            rm -rf "$folder"
        done
    done
done
