#!/bin/bash
# Many calls of resource types that are written in Python, through an optimised wheel: `soak.sh CALLS`.
set -euo pipefail
cd "$(dirname "$0")/.."
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
python3 -m venv "$work/venv"
"$work/venv/bin/pip" --quiet --disable-pip-version-check install ./bindings-python pytest
cp bindings-python/tests/test_soak.py "$work"
cd "$work"
SOAK_CALLS=$1 "$work/venv/bin/python" test_soak.py
