#!/bin/bash
# Many calls of resource types in Python, Node and Kotlin, each through an optimised package: what a call costs, alone and with
# others in flight, and whether memory grows. `soak.sh CALLS`; LANGUAGES="node" tries some only, BUILT=folder takes the libraries from
# there instead of building them.
set -euo pipefail
cd "$(dirname "$0")/.."
calls=$1
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT

wanted() { [[ " ${LANGUAGES:-python node jvm} " == *" $1 "* ]]; }

# Maven's repository is a folder of ours.
mkdir -p "${CARGO_TARGET_DIR:-target}/maven"
MAVEN_OPTS="${MAVEN_OPTS:-} -Dmaven.repo.local=$(cd "${CARGO_TARGET_DIR:-target}/maven" && pwd)"
export MAVEN_OPTS

python=$(python3 -c 'import sys; print(sys.executable)')
if [ -n "${BUILT:-}" ]; then
    built=$(cd "$BUILT" && pwd)
elif wanted node || wanted jvm; then
    packages=(-p stackwright-node)
    ! wanted jvm || packages+=(-p stackwright-uniffi -p stackwright-uniffi-generator)
    "${CARGO:-cargo}" build --quiet --release "${packages[@]}"
    built=$(cd "${CARGO_TARGET_DIR:-target}/release" && pwd)
fi
if wanted python; then
    "$python" -m venv "$work/venv"
    "$work/venv/bin/pip" --quiet --disable-pip-version-check install ./bindings-python pytest
    cp bindings-python/tests/test_soak.py "$work"
fi
if wanted node; then
    cp -r bindings-node "$work/node-package"
    mkdir -p "$work/node-package/native"
    library=("$built"/libstackwright_node.{so,dylib})
    [ -e "${library[0]}" ] || library=("${library[1]}")
    cp "${library[0]}" "$work/node-package/native/stackwright.node"
    (cd "$work/node-package" && npm pack --silent --pack-destination "$work" >/dev/null)
    mkdir "$work/node"
    cp bindings-node/test/soak.test.mjs bindings-node/test/package.json "$work/node"
    (cd "$work/node" && npm install --silent --no-audit --no-fund --omit=dev "$work"/stackwright-*.tgz)
fi
if wanted jvm; then
    OUT=$work/jvm bindings-uniffi/install.sh "$built"
    cp -r bindings-uniffi/test "$work/jvm-tests"
    (cd "$work/jvm-tests" && mvn --batch-mode --quiet test-compile dependency:build-classpath \
        -Dmdep.outputFile="$work/jvm-classpath" -Dmdep.includeScope=test)
    flags=$(sed -n 's:.*<soak.flags>\(.*\)</soak.flags>.*:\1:p' bindings-uniffi/test/pom.xml)
fi

printf '%-12s%12s%12s%12s   µs for each call\n' '' alone '16 at once' '256 at once'
# What a call costs before any language is involved.
"${CARGO:-cargo}" run --quiet --release -p stackwright-benches --bin calls
! wanted python || (cd "$work" && SOAK_CALLS=$calls venv/bin/python test_soak.py)
! wanted node || (cd "$work/node" && SOAK_CALLS=$calls node --expose-gc soak.test.mjs)
# shellcheck disable=SC2086 # They are several.
! wanted jvm || java $flags -cp "$work/jvm-tests/target/test-classes:$(cat "$work/jvm-classpath")" SoakTestKt "$calls"
