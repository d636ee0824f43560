#!/bin/bash
# Checks that what the build needs is there; under CI installs it, elsewhere says how to get it.
set -euo pipefail

have() { command -v "$1" >/dev/null 2>&1; }

missing=()
have cargo || missing+=("a Rust toolchain, 1.95 or newer: https://rustup.rs")
have cc || missing+=("a C compiler: apt-get install build-essential, or xcode-select --install")
have curl || missing+=("curl: apt-get install curl")

# A user does without these: what needs them says so and is left out. Under CI nothing is left out.
extra=()
have python3 || extra+=(python3)
have node || extra+=(nodejs)
have npm || extra+=(npm)
have javac || extra+=(default-jdk-headless)
have mvn || extra+=(maven)
have chromium || have google-chrome || extra+=(chromium)
postgres=(/usr/lib/postgresql/*/bin/initdb)
[ -x "${postgres[0]}" ] || have initdb || extra+=(postgresql)

if [ "$((${#missing[@]} + ${#extra[@]}))" -gt 0 ] && [ "${CI:-}" = true ] && have apt-get && [ "$(id -u)" = 0 ]; then
    apt-get update -qq
    # The tests start servers of their own.
    install -d /etc/postgresql-common
    [ -e /etc/postgresql-common/createcluster.conf ] ||
        echo 'create_main_cluster = false' >/etc/postgresql-common/createcluster.conf
    DEBIAN_FRONTEND=noninteractive apt-get install -y -qq build-essential curl "${extra[@]}" >/dev/null
    have cargo && missing=()
fi
if [ "${#missing[@]}" -gt 0 ]; then
    printf 'missing: %s\n' "${missing[@]}" >&2
    exit 1
fi
