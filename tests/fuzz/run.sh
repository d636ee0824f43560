#!/bin/bash
# Looks for inputs that break a promise, guided by coverage: libFuzzer on the stable toolchain.
#
# Usage: tests/fuzz/run.sh SECONDS [TARGET …]   (default: every target)
#
# What is found lies in tests/fuzz/found/TARGET; put a small one into tests/fuzz/corpus/TARGET once it is understood.
set -euo pipefail
cd "$(dirname "$0")/../.."
seconds=${1:?usage: tests/fuzz/run.sh SECONDS [TARGET …]}
shift
targets=("$@")
[ "${#targets[@]}" -gt 0 ] || targets=(hcl json yaml values template expression decoders)
if ! command -v c++ >/dev/null 2>&1; then
    echo "fuzz: skipped, libFuzzer is built with a C++ compiler and there is none (Debian: apt-get install g++)"
    exit 0
fi
host=$(rustc -vV | sed -n 's/^host: //p')
# What cargo-fuzz passes without a sanitizer; all of it is stable. With a target of its own, build scripts are left alone.
export RUSTFLAGS="-Cpasses=sancov-module -Cllvm-args=-sanitizer-coverage-level=4 \
-Cllvm-args=-sanitizer-coverage-inline-8bit-counters -Cllvm-args=-sanitizer-coverage-pc-table \
-Cllvm-args=-sanitizer-coverage-trace-compares -Ccodegen-units=1 -Cdebug-assertions -Coverflow-checks"
cargo build --release --quiet --package stackwright-fuzz --features libfuzzer --bin fuzz --target "$host" --target-dir target/fuzz
failed=0
for target in "${targets[@]}"; do
    mkdir -p "target/fuzz/corpus/$target" "tests/fuzz/found/$target"
    echo "fuzz: $target, $seconds s"
    TIMEFORMAT="fuzz: $target, %U s of processor time"
    time STACKWRIGHT_FUZZ=$target "target/fuzz/$host/release/fuzz" "target/fuzz/corpus/$target" "tests/fuzz/corpus/$target" \
        -max_total_time="$seconds" -rss_limit_mb=1024 -malloc_limit_mb=1024 -timeout=20 -max_len=8192 -print_final_stats=1 \
        -artifact_prefix="tests/fuzz/found/$target/" >"target/fuzz/$target.log" 2>&1 || failed=1
    grep -aE "stat::number_of_executed_units|stat::peak_rss_mb|panicked|ERROR|SUMMARY" "target/fuzz/$target.log" || true
done
exit "$failed"
