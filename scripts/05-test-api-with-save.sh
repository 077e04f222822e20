#!/usr/bin/env bash
# The same as 05-test-api.sh, with each request, status, time and full answer written to a file.
set -euo pipefail
cd "$(dirname "${BASH_SOURCE[0]}")/.."

if [[ ${1:-} == --help || ${1:-} == -h ]]; then
  cat <<'TEXT'
Usage: scripts/05-test-api-with-save.sh [OPTIONS OF 05-test-api.sh]

Does what scripts/05-test-api.sh does, and writes result/api-test-<timestamp>.txt with each request,
status, time and the full JSON. Options are those of scripts/05-test-api.sh, see its --help.
TEXT
  exit
fi

exec scripts/05-test-api.sh --save "result/api-test-$(date +%Y%m%d-%H%M%S).txt" "$@"
