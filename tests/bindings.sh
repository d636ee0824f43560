#!/bin/bash
# The packages for other languages, built as people install them and tested away from the source tree; and a resource type
# written in each, through apply, SIGKILL and resume.
#
# The cloud is a folder: cloud/ has a file per bucket, log a line per thing that happened. The process is killed while a
# creation stands still at a chosen point; another process goes on; then the folder and the state must agree.
#
# A language that this machine does not have is left out, with a message; with CI=true that is a failure. LANGUAGES="node"
# tries some only; BUILT=folder takes the libraries for Node and the JVM from there instead of building them.
set -euo pipefail
cd "$(dirname "$0")/.."

CARGO=${CARGO:-cargo}
SECONDS_TO_WAIT=60
tested=0
skipped=0

say() { printf '%s\n' "$*"; }

# Says how long a part took.
since=$SECONDS
took() {
    say "took: $1: $((SECONDS - since)) s"
    since=$SECONDS
}
fail() { say "bindings: $*" >&2; exit 1; }

work=$(mktemp -d)
victim=
cleanup() {
    [ -z "$victim" ] || kill -KILL "$victim" 2>/dev/null || true
    rm -rf "$work"
}
trap cleanup EXIT

# Says that a language is left out and what would bring it in; under CI nothing is left out.
skip() {
    [ "${CI:-}" != true ] || fail "$1; install $2"
    say "skip: $1; to try this part, install $2"
    skipped=$((skipped + 1))
}

# Says whether a language is to be tried.
wanted() { [[ " ${LANGUAGES:-python node jvm} " == *" $1 "* ]]; }

# Counts the lines of a log that match.
count() { grep -cE "$1" "$2" || true; }

# Counts the buckets of a folder.
buckets() { find "$1/cloud" -name '*.json' | wc -l | tr -d ' '; }

# Runs one command of the language's program; its output shows only where it fails.
step() {
    local folder=$1 command=$2
    if ! "${run[@]}" "$command" "$folder" >"$folder/$command.out" 2>&1; then
        cat "$folder/$command.out" >&2
        fail "$language: $command failed"
    fi
}

# Kills an apply while creation number $1 stands still at point $2, when $3 buckets exist, and goes on with it.
killed() {
    local number=$1 point=$2 exist=$3
    local folder=$work/$language-$number-$point log name answer creates
    mkdir "$folder"
    log=$folder/log
    : >"$log"
    BUCKET_BLOCK=$number:$point "${run[@]}" apply "$folder" >"$folder/apply.out" 2>&1 &
    victim=$!
    local deadline=$((SECONDS + SECONDS_TO_WAIT))
    until [ -e "$folder/blocked" ] && [ "$(count '^made ' "$log")" = "$exist" ]; do
        if ! kill -0 "$victim" 2>/dev/null || [ "$SECONDS" -ge "$deadline" ]; then
            cat "$folder/apply.out" "$log" >&2
            fail "$language: the apply never stood still at $number:$point"
        fi
        sleep 0.02
    done
    kill -KILL "$victim"
    wait "$victim" 2>/dev/null || true
    victim=
    [ "$(buckets "$folder")" = "$exist" ] || fail "$language: not $exist buckets at the kill"

    step "$folder" resume
    step "$folder" verify
    # Each bucket exists once, and each key was used to make one once.
    [ "$(buckets "$folder")" = 6 ] || fail "$language: not six buckets after resume"
    [ "$(count '^made ' "$log")" = 6 ] || fail "$language: buckets were made more or less than six times"
    [ "$(awk '$1 == "made" { print $2 }' "$log" | sort -u | wc -l)" -eq 6 ] || fail "$language: a bucket was made twice"
    [ "$(awk '$1 == "made" { print $3 }' "$log" | sort -u | wc -l)" -eq 6 ] || fail "$language: a key was used twice"
    # The world was asked about the creation that stood still, once, by what was known of it, and told what was so.
    name=$(awk '$1 == "stopped" { print $2 }' "$log")
    case $point in
        before) answer="by-key absent" creates=2 ;;
        made) answer="by-key found" creates=1 ;;
        noted) answer="by-id found" creates=1 ;;
    esac
    [ "$(count "^recovered $name $answer\$" "$log")" = 1 ] || fail "$language: $name was not recovered as $answer"
    [ "$(count "^recovered $name " "$log")" = 1 ] || fail "$language: $name was recovered more than once"
    [ "$(count "^create $name " "$log")" = "$creates" ] || fail "$language: $name was not created $creates times"
    # The same of all that were under way: the answer is the truth, what was found is not created again, and what is
    # absent is created with the key that it had. (A call may have been lost before it reached the cloud.)
    awk '
        $1 == "create" { if (recovered[$2] == "found" || (($2 in keys) && keys[$2] != $3)) bad = 1; keys[$2] = $3 }
        $1 == "create" { if (++creates[$2] > 1 && recovered[$2] != "absent") bad = 1 }
        $1 == "made" { made[$2] = 1 }
        $1 == "recovered" { if (($4 == "found") != ($2 in made)) bad = 1; recovered[$2] = $4 }
        END { exit bad }
    ' "$log" || { cat "$log" >&2; fail "$language: something was created again that was there, or with another key"; }
    # What is sensitive is sealed.
    grep -aq hunter2 "$folder"/state.db* && fail "$language: a token lies in the state in the open"
    # The type's next version brings the rows along.
    BUCKET_SCHEMA=2 step "$folder" upgrade
    BUCKET_SCHEMA=2 step "$folder" update
    BUCKET_SCHEMA=2 step "$folder" destroy
    say "ok: $language: killed with $exist of 6 buckets (creation $number, $point), resumed, nothing lost or doubled"
}

prove() {
    language=$1
    killed 3 before 2
    killed 3 made 3
    killed 4 noted 4
    mkdir "$work/$language-faults" "$work/$language-cancel"
    step "$work/$language-faults" faults
    [ "$(count '^recovered raised by-key found$' "$work/$language-faults/log")" = 1 ] \
        || fail "$language: the creation that raised was not looked up"
    [ "$(count '^create B-' "$work/$language-faults/log")" = 0 ] \
        || fail "$language: what the type refuses once it is known was created"
    say "ok: $language: refused, torn and raised creations end as the contract says"
    BUCKET_BLOCK=3:cancel step "$work/$language-cancel" cancel
    step "$work/$language-cancel" verify
    [ "$(count '^cancelled ' "$work/$language-cancel/log")" = 1 ] || fail "$language: the call did not see the cancellation"
    say "ok: $language: cancelling drains, and the rest follows"
    took "$language: killed and resumed"
    tested=$((tested + 1))
}

# Copies a bridge's library to where its language looks for it.
place() {
    local library=$1 target=$2 candidate
    for candidate in "lib$library.so" "lib$library.dylib" "$library.dll"; do
        [ ! -e "$built/$candidate" ] || { cp "$built/$candidate" "$work/$target"; return; }
    done
    fail "$library was built, but it is not in $built"
}

# Builds the wheel as `pip install .` does, but of the library that was built with the others, which is not optimised; installs
# it where nothing else is, and runs its tests away from the source tree.
test_python() {
    local venv=$work/venv
    "$python" -m venv "$venv"
    CARGO_FOR_REAL=$CARGO CARGO=$PWD/tests/cargo_once.sh MATURIN_PEP517_ARGS="--profile dev" \
        "$venv/bin/pip" --quiet --disable-pip-version-check wheel --no-deps --wheel-dir "$work/wheels" ./bindings-python
    "$venv/bin/pip" --quiet --disable-pip-version-check install "$work"/wheels/stackwright-*.whl \
        -r bindings-python/tests/requirements.txt
    took "python: the package"
    cp -r bindings-python/tests "$work/python-tests"
    cp bindings-python/README.md "$work/python-tests"
    (cd "$work/python-tests" && PYTHONDONTWRITEBYTECODE=1 "$venv/bin/python" -m pytest -c pytest.ini -p no:cacheprovider)
    took "python: its tests"
    # The examples, from copies of their own.
    local example
    for example in paas-python notebook; do
        "$venv/bin/pip" --quiet --disable-pip-version-check install -r "examples/$example/requirements.txt"
        cp -r "examples/$example" "$work/$example"
        (cd "$work/$example" && PYTHONDONTWRITEBYTECODE=1 "$venv/bin/python" -m pytest -q -p no:cacheprovider)
    done
    took "python: the examples"
    tested=$((tested + 1))
}

# Packs the package as it goes to a registry, installs it where nothing else is, and runs its tests away from the source tree.
test_node() {
    local tests=$work/node-tests
    cp -r bindings-node "$work/node-package"
    mkdir -p "$work/node-package/native"
    place stackwright_node node-package/native/stackwright.node
    (cd "$work/node-package" && npm pack --silent --pack-destination "$work" >/dev/null)
    cp -r bindings-node/test "$tests"
    (cd "$tests" && npm install --silent --no-audit --no-fund "$work"/stackwright-*.tgz)
    took "node: the package"
    (cd "$tests" && "$node" --test ./*.test.mjs)
    (cd "$tests" && "$node" node_modules/typescript/bin/tsc -p types/tsconfig.json)
    took "node: its tests"
    # The example, from a copy of its own.
    cp -r examples/console-node "$work/console-node"
    (cd "$work/console-node" && npm install --silent --no-audit --no-fund --no-save "$work"/stackwright-*.tgz && "$node" --test)
    took "node: the example"
    tested=$((tested + 1))
}

# Builds and installs the jar as its README says, and runs its tests from a project that knows nothing but the jar.
test_jvm() {
    local tests=$work/jvm-tests number
    OUT=$work/jvm bindings-uniffi/install.sh "$built"
    # What else is written for the bridge. Nothing stands on it.
    local other library
    for library in "$work"/jvm/native/*/*; do
        for other in swift ruby; do
            "$built/stackwright-uniffi-generator" "$other" "$library" bindings-uniffi/uniffi.toml "$work/$other"
            grep -q 'class EngineHandle' "$work/$other"/stackwright_uniffi.* || fail "no $other was written"
        done
    done
    took "jvm: the package"
    cp -r bindings-uniffi/test "$tests"
    # Each snippet of the README is a file of its own.
    mkdir -p "$tests/target/snippets"
    awk -v folder="$tests/target/snippets" '
        /^```$/ { inside = 0 }
        inside { print > file }
        /^```kotlin$/ { inside = 1; file = folder "/Snippet" ++number ".kt"; print "package snippet" number "\n" > file }
    ' bindings-uniffi/README.md
    (cd "$tests" && mvn --batch-mode --quiet test dependency:build-classpath -Dmdep.outputFile="$work/jvm-classpath" -Dmdep.includeScope=test)
    took "jvm: its tests"
    # The example, from a copy of its own.
    cp -r examples/backend-kotlin "$work/backend-kotlin"
    (cd "$work/backend-kotlin" && mvn --batch-mode --quiet test)
    took "jvm: the example"
    tested=$((tested + 1))
}

export STACKWRIGHT_CASES=$PWD/tests/cases/stacks

# The programs themselves and not what stands before them on PATH (version managers put scripts there): a signal has to
# reach the process that runs the engine.
python=$(python3 -c 'import sys; print(sys.executable if sys.version_info >= (3, 10) else "")' 2>/dev/null) || python=
node=$(node -p 'process.versions.node.split(".")[0] >= 20 ? process.execPath : ""' 2>/dev/null) || node=
command -v npm >/dev/null 2>&1 || node=
java=$(java -XshowSettings:properties -version 2>&1 | awk '$1 == "java.specification.version" && $3 >= 17 { print "java" }') || java=
{ command -v mvn && command -v javac; } >/dev/null 2>&1 || java=

wanted python || python=none
wanted node || node=none
wanted jvm || java=none

if [ -n "${BUILT:-}" ]; then
    built=$BUILT
else
    # As `make build` does it.
    "$CARGO" everything --quiet
    built=${CARGO_TARGET_DIR:-target}/debug
    took "the libraries"
fi

# Maven's repository is a folder of ours: the jar is installed as its README says, and nobody's home is touched.
mkdir -p "${CARGO_TARGET_DIR:-target}/maven"
MAVEN_OPTS="${MAVEN_OPTS:-} -Dmaven.repo.local=$(cd "${CARGO_TARGET_DIR:-target}/maven" && pwd)"
export MAVEN_OPTS

if [ "$python" = none ]; then
    say "left out: python"
elif [ -n "$python" ] && "$python" -c 'import ensurepip, venv' 2>/dev/null; then
    test_python
    export PYTHONDONTWRITEBYTECODE=1 BUCKET_TEMPLATES=$PWD/tests/bindings
    run=("$work/venv/bin/python" -W error "$work/python-tests/killed/step.py")
    prove python
else
    skip "no python3, 3.10 or newer and with venv, is on PATH" \
        "it from python.org or your system's packages (apt-get install python3 python3-venv)"
fi

if [ "$node" = none ]; then
    say "left out: node"
elif [ -n "$node" ]; then
    test_node
    export BUCKET_TEMPLATES=$PWD/tests/bindings
    run=("$node" "$work/node-tests/killed/step.mjs")
    prove node
else
    skip "no node, 20 or newer, with npm is on PATH" "it from nodejs.org or your system's packages (apt-get install nodejs npm)"
fi

if [ "$java" = none ]; then
    say "left out: jvm"
elif [ -n "$java" ]; then
    test_jvm
    export BUCKET_TEMPLATES=$PWD/tests/bindings
    run=(java -cp "$work/jvm-tests/target/test-classes:$(cat "$work/jvm-classpath")" killed.StepKt)
    prove jvm
else
    skip "no JDK, 17 or newer, with Maven is on PATH" \
        "it from adoptium.net and maven.apache.org or your system's packages (apt-get install default-jdk-headless maven)"
fi

say "bindings: $tested passed, 0 failed, $skipped skipped"
