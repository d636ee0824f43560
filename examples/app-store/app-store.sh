#!/bin/bash
# Two customers install the package `coding` in a pretend cloud: priced, installed, upgraded, operated, one of them failing
# half-way and going on, both uninstalled with everything they had. Checks each step; leaves nothing behind.
set -euo pipefail
here=$(cd "$(dirname "$0")" && pwd)
root=$(cd "$here/../.." && pwd)
target=${CARGO_TARGET_DIR:-$root/target}
stackwright=$target/debug/stackwright
sandbox=$target/debug/stackwright-sandbox

folder=$(mktemp -d)
cloud=
trap '[ -z "$cloud" ] || kill "$cloud" 2>/dev/null || true; rm -rf "$folder"' EXIT
fail() { echo "app-store: $*" >&2; exit 1; }
says() { grep -qF -- "$1" <<<"$2" || fail "expected '$1' in: $2"; }
refused() { ! output=$("$@" 2>&1) || fail "expected a refusal: $*"; }

# The cloud, a process of its own, on a port that is free.
"$sandbox" --listen 127.0.0.1:0 --memory "$folder/cloud.jsonl" \
    --knobs '{"latency_ms": 1, "lag_ms": 0, "start_ms": 20, "sells": true, "delivery_ms": 2}' >"$folder/cloud.log" 2>&1 &
cloud=$!
for _ in $(seq 1 100); do
    endpoint=$(sed -n 's/^listening on //p' "$folder/cloud.log")
    [ -z "$endpoint" ] || break
    kill -0 "$cloud" || fail "the cloud does not start: $(cat "$folder/cloud.log")"
    sleep 0.1
done
[ -n "$endpoint" ] || fail "the cloud does not say where it is"
cp -r "$here/coding" "$here/inputs" "$here/restart.py" "$folder/"
for file in acme zenith zenith-mended; do echo "endpoint: $endpoint" >>"$folder/inputs/$file.yaml"; done

cd "$folder"
sw() { "$stackwright" "$@"; }

echo "== The vendor: check, sign, publish"
sw package lint coding
key=$(sw package key vendor.key)
sw package build coding -key=vendor.key
for stage in development trial online; do
    sw package publish coding-1.0.0.tar -catalog=shelf -key=vendor.key -stage=$stage
done
export STACKWRIGHT_CATALOG=shelf STACKWRIGHT_TRUST=$key STACKWRIGHT_SANDBOX_SHOP=$endpoint
app() { sw -stack="$1" app "${@:2}"; }
fill() { echo "-values=inputs/$1.yaml -answers=inputs/answers.yaml"; }

echo "== acme: what it will have, and what that costs"
# shellcheck disable=SC2046
app acme/coding quote coding $(fill acme) -preset=team
echo "== acme installs"
# shellcheck disable=SC2046
app acme/coding install coding $(fill acme) -preset=team -auto-approve -why="a platform for us"
says "installed" "$(app acme/coding list)"

echo "== zenith installs, and fails half-way: its bucket belongs to somebody else"
# shellcheck disable=SC2046
refused app zenith/coding install coding $(fill zenith) -auto-approve -on-failure=continue
says "acme-coding" "$output"
says "broken" "$(app zenith/coding list)"
echo "== zenith goes on with another bucket; what was made stays"
before=$(sw -stack=zenith/coding state list | sort)
# shellcheck disable=SC2046
app zenith/coding install coding $(fill zenith-mended) -auto-approve
for address in $before; do says "$address" "$(sw -stack=zenith/coding state list)"; done
says "installed" "$(app zenith/coding list)"

echo "== acme wants another machine"
# shellcheck disable=SC2046
app acme/coding upgrade coding $(fill more) -auto-approve -why="more people"
says "sandbox_instance.app[1]" "$(sw -stack=acme/coding state list)"

echo "== acme restarts its machines"
# shellcheck disable=SC2046
output=$(app acme/coding action restart coding $(fill restart) -handler=sandbox_instance.restart=./restart.py)
says "starts again" "$output"
[ "$(grep -c 'starts again' <<<"$output")" = 2 ] || fail "both machines restart: $output"

echo "== What acme has, and what it cost until now"
app acme/coding show
app acme/coding cost
app acme/coding cost -by=resource
says "sandbox_cluster.main" "$(app acme/coding cost -by=resource)"
says "BilledCost" "$(app acme/coding cost -csv)"
! grep -q zenith <<<"$(app acme/coding cost -csv)" || fail "acme sees what zenith pays"

echo "== Neither sees the other, and no secret is written down"
says "coding" "$(app acme/coding list)"
shown=$(app acme/coding show)
says "Open: https://" "$shown"
says "machines behind https://" "$shown"
says "Name " "$shown"
! grep -q zenith <<<"$(app acme/coding list -json)" || fail "acme sees zenith"
! grep -aqE 'correct-horse-battery|staple-battery-horse' .stackwright/state.db* || fail "a password is in the state"

echo "== Both uninstall"
app acme/coding uninstall -auto-approve
app zenith/coding uninstall -auto-approve
says "removed" "$(app acme/coding list)"
app acme/coding audit
says "action restart" "$(app acme/coding audit)"
for stack in acme/coding zenith/coding; do
    [ -z "$(sw -stack=$stack state list)" ] || fail "something of $stack is left"
done
python3 - "$endpoint" <<'PY'
import json, sys, urllib.request

left = 0
for kind in ["networks", "subnets", "security-groups", "clusters", "databases", "buckets", "instances", "dns-records"]:
    try:
        with urllib.request.urlopen(f"{sys.argv[1]}/v1/{kind}") as answer:
            left += len(json.load(answer)["items"])
    except urllib.error.HTTPError as problem:
        sys.exit(f"the cloud does not tell its {kind}: {problem}")
if left:
    sys.exit(f"{left} objects are left in the cloud")
# What was bought came back: each order was paid once, and each of its lines was paid back.
with urllib.request.urlopen(f"{sys.argv[1]}/admin/history") as answer:
    orders = json.load(answer)["orders"]
if len(orders) < 4 or any(order["status"] != "paid" for order in orders):
    sys.exit(f"not every order was paid: {orders}")
lines = [line for order in orders for line in order["lines"]]
if any(line["refunded"] is None for line in lines):
    sys.exit(f"not everything was paid back: {lines}")
print(f"{len(orders)} orders were paid, and all {len(lines)} lines of them paid back.")
PY
echo "The app store works: two installations came and went, and nothing is left."
