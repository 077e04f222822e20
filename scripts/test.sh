#!/usr/bin/env bash
# Runs every test: Rust (with cargo-nextest), documentation examples, dashboard, scripts, manifests.
set -euo pipefail
cd "$(dirname "${BASH_SOURCE[0]}")/.."

if [[ ${1:-} == --help || ${1:-} == -h ]]; then
  echo "Usage: scripts/test.sh"
  echo "Installs what the tests need where it is missing, then runs all of them."
  echo "As root, tests that make real cgroups run too; else they say that they were skipped."
  exit 0
fi

# shellcheck source=scripts/lib/toolchain.sh
source scripts/lib/toolchain.sh
ensure_rust
ensure_nextest
ensure_packages curl jq nodejs shellcheck

step() { printf '\n== %s\n' "$*"; }

step "Rust tests"
cargo nextest run --locked --workspace --no-fail-fast
step "Documentation examples"
cargo test --locked --workspace --doc --quiet
step "Dashboard"
node --test api/dashboard/tests/*.test.mjs
step "Shell scripts"
git ls-files -z '*.sh' .ci/run | xargs -0 shellcheck --external-sources
step "Manifests"
deploy/test.sh
printf '\nok: all tests passed\n'
