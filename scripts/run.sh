#!/usr/bin/env bash
# Builds kubemonitor and starts it on this host: server and collector in one process.
# Arguments go to `kubemonitor up`.
set -euo pipefail
cd "$(dirname "${BASH_SOURCE[0]}")/.."

if [[ ${1:-} == --help || ${1:-} == -h ]]; then
  echo "Usage: scripts/run.sh [FLAGS OF kubemonitor up, such as --port 9090]"
  echo "Installs what building needs (C compiler, Rust toolchain) where it is missing, builds, starts."
  exit 0
fi

# shellcheck source=scripts/lib/toolchain.sh
source scripts/lib/toolchain.sh
ensure_rust
# Cargo shows how far it is where there is a terminal; a log shows what is being waited for.
[[ -x target/local/kubemonitor ]] ||
  echo "building kubemonitor: about 5 minutes on two processors the first time, seconds after that"
cargo build --profile local --locked --package kubemonitor
exec target/local/kubemonitor up "$@"
