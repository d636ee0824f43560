#!/bin/bash
# Stands for cargo where a packager wants to compile the one library that it packs: answers with the build of the whole workspace,
# in which that library is, so that nothing is compiled twice. Cargo gives dependencies other features for one package than for
# all, and maturin names an interpreter, which the stable ABI does not ask for; each would be another build of the engine.
set -euo pipefail
cargo=${CARGO_FOR_REAL:-cargo}
[ "${1:-}" = rustc ] || exec "$cargo" "$@"
cd "$(dirname "$0")/.."
unset PYO3_CONFIG_FILE PYO3_PYTHON PYO3_ENVIRONMENT_SIGNATURE PYO3_BUILD_EXTENSION_MODULE
exec "$cargo" everything --message-format json-render-diagnostics
