#!/bin/bash
# Builds the jar, native library included, and installs it where Maven finds it: `install.sh`, or `install.sh FOLDER` with the
# libraries that were built there. Nothing is written to the source tree but below `target`.
set -euo pipefail
cd "$(dirname "$0")/.."

built=${1:-}
if [ -z "$built" ]; then
    "${CARGO:-cargo}" build --release -p stackwright-uniffi -p stackwright-uniffi-generator
    built=${CARGO_TARGET_DIR:-target}/release
fi
case $(uname -m) in
    x86_64 | amd64) machine=x86-64 ;;
    aarch64 | arm64) machine=aarch64 ;;
    *) machine=$(uname -m) ;;
esac
case $(uname -s) in
    Darwin) place=darwin-$machine library=libstackwright_uniffi.dylib ;;
    *) place=linux-$machine library=libstackwright_uniffi.so ;;
esac
work=${OUT:-bindings-uniffi/target}
mkdir -p "$work"
work=$(cd "$work" && pwd)
rm -rf "$work/generated" "$work/native" "$work/kotlin"
mkdir -p "$work/native/$place"
"$built/stackwright-uniffi-generator" kotlin "$built/$library" bindings-uniffi/uniffi.toml "$work/generated"
cp "$built/$library" "$work/native/$place"
cp -r bindings-uniffi/kotlin "$work/kotlin"
mvn --batch-mode --quiet --file "$work/kotlin/pom.xml" -Dgenerated.folder="$work/generated" -Dnative.folder="$work/native" install
