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
ensure_packages busybox-static curl iperf3 iproute2 jq nodejs prometheus shellcheck stress
ensure_helm

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
# The scripts that ask a running kubemonitor ask the one that was just tested.
export KUBEMONITOR=$PWD/target/debug/kubemonitor
cargo build --locked --package kubemonitor
step "Load on this host"
scripts/04-test.sh --host
step "Every path of the API"
scripts/05-test-api.sh --self
step "Control groups of this host"
scripts/debug-cgroup.sh
printf '\nok: all tests passed\n'
