#!/bin/bash
# The guestbook from template to running application and back.
#   demo.sh up     brings it up and says how to change it
#   demo.sh down   takes it down
#   demo.sh test   the whole story, checked, in a folder of its own
set -euo pipefail
here=$(cd "$(dirname "$0")" && pwd)
root=$(cd "$here/../.." && pwd)
target=${CARGO_TARGET_DIR:-$root/target}
stackwright=$target/debug/stackwright
export TF_VAR_program=$target/debug/guestbook

sw() { "$stackwright" -chdir="$folder" "$@"; }
fail() { echo "demo: $*" >&2; exit 1; }
expect() { # what, wanted, found
    [ "$2" = "$3" ] || fail "$1: expected '$2', found '$3'"
    echo "ok: $1"
}
# Prints the numbers of the processes that belong to the guestbook in $folder.
processes() { pgrep -f -- "--config $folder/.guestbook/" || true; }

up() {
    sw apply -auto-approve
    url=$(sw output -raw url)
    curl --silent --show-error --fail --max-time 10 "$url" >/dev/null || fail "$url does not answer"
    cat <<TEXT

The guestbook answers at  $url

Change it:          TF_VAR_program=$TF_VAR_program \\
                    $stackwright -chdir=$folder apply -var 'greeting=Hello from the terminal'
See what is there:  $stackwright -chdir=$folder state list
Draw it:            $stackwright -chdir=$folder graph -format=mermaid
The admin password: $stackwright -chdir=$folder output -raw admin_password
Take it down:       make demo-down
TEXT
}

down() {
    sw destroy -auto-approve
}

check() {
    trap 'sw destroy -auto-approve >/dev/null 2>&1 || true; rm -rf "$folder"' EXIT
    sw apply -auto-approve
    url=$(sw output -raw url)
    page=$(curl --silent --show-error --fail --max-time 10 "$url")
    grep -q "Say hello" <<<"$page" || fail "the page lacks its greeting"
    echo "ok: $url answers"
    curl --silent --fail --max-time 10 -d name=ann --data-urlencode 'message=<b>hi</b>' "${url}entries" >/dev/null
    for _ in 1 2 3; do
        curl --silent --fail --max-time 10 "$url" | grep -q '&lt;b&gt;hi' || fail "an entry is not on every replica"
    done
    echo "ok: an entry is on every replica"

    sw plan -detailed-exitcode >/dev/null && code=0 || code=$?
    expect "a second plan has nothing to do" 0 "$code"
    sw apply -auto-approve | grep -q "0 added, 0 changed, 0 destroyed" || fail "a second apply does something"
    echo "ok: a second apply does nothing"

    front=$(sw state show local_process.front | grep ' pid ')
    sw apply -auto-approve -var 'greeting=Good morning' >"$folder/change.log"
    grep -q "0 added, 3 changed, 0 destroyed" "$folder/change.log" || { cat "$folder/change.log"; fail "a change touches more than depends on it"; }
    curl --silent --fail --max-time 10 "$url" | grep -q "Good morning" || fail "the greeting did not change"
    expect "the front was not restarted by a greeting" "$front" "$(sw state show local_process.front | grep ' pid ')"

    victim=$(sw state show 'local_process.replica[0]' | sed -n 's/^ *pid *= *//p')
    kill -KILL "$victim"
    sw plan -detailed-exitcode -var 'greeting=Good morning' >"$folder/drift.log" && code=0 || code=$?
    expect "a killed replica is a change" 2 "$code"
    grep -q 'local_process.replica\[0\]' "$folder/drift.log" || fail "the plan does not name the killed replica"
    curl --silent --fail --max-time 10 "$url" >/dev/null || fail "one dead replica takes the guestbook down"
    echo "ok: the guestbook answers with one replica"
    sw apply -auto-approve -var 'greeting=Good morning' >/dev/null
    sw plan -detailed-exitcode -var 'greeting=Good morning' >/dev/null && code=0 || code=$?
    expect "apply heals it" 0 "$code"

    ! grep -rqF "$(sw output -raw admin_password)" "$folder/.stackwright" || fail "the password is in the state file"
    echo "ok: the password is not in the state file"

    sw destroy -auto-approve -var 'greeting=Good morning' >/dev/null
    expect "destroy leaves no process" "" "$(processes)"
    [ ! -e "$folder/.guestbook" ] || fail "destroy leaves files"
    expect "destroy leaves no row" "" "$(sw state list)"
    echo "ok: destroy leaves no file"
    echo "demo: all checks passed"
}

case "${1:-}" in
up) folder=$here; up ;;
down) folder=$here; down ;;
test)
    folder=$(mktemp -d)
    cp "$here"/*.tf "$folder"
    check
    ;;
*) fail "usage: demo.sh up|down|test" ;;
esac
