#!/usr/bin/env bash
# Validates /openapi.json of a kubemonitor of this host with a validator of others.
set -euo pipefail
cd "$(dirname "${BASH_SOURCE[0]}")/.."

# shellcheck source=scripts/lib/all.sh
source scripts/lib/all.sh

usage() {
  cat <<TEXT
Usage: scripts/check-openapi.sh [OPTIONS]

Starts a kubemonitor of this host on a free port and checks that its /openapi.json is OpenAPI as the
standard has it: directly, and as a proxy with a path prefix passes it on. Installs the validator below
target/ where it is missing.

$monitor_options_help
  --help          this text
TEXT
}

monitor_options "$@"

make_work
need_commands curl python3
ensure_openapi_validator
find_monitor "$binary"
start_monitor 500ms
for prefix in '' /tools/km; do
  curl "${http_options[@]}" --fail --header "X-Forwarded-Prefix: $prefix" "$api_url/openapi.json" >"$work/openapi.json"
  "$OPENAPI_VALIDATOR" -m openapi_spec_validator "$work/openapi.json" >"$work/said" 2>&1 ||
    die "/openapi.json${prefix:+ below $prefix} is not valid: $(head -c 2000 "$work/said")"
done
ok "/openapi.json is valid"
