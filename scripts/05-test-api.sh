#!/usr/bin/env bash
# Asks every path and variant of the REST contract, and checks what comes back.
set -euo pipefail
cd "$(dirname "${BASH_SOURCE[0]}")/.."

# shellcheck source=scripts/lib/all.sh
source scripts/lib/all.sh
# shellcheck source=scripts/lib/api_requests.sh
source scripts/lib/api_requests.sh

usage() {
  cat <<TEXT
Usage: scripts/05-test-api.sh [OPTIONS]

Asks a running kubemonitor every path of its REST interface, in every variant (window, start, end and
step, pages, sorting, selection, and what must be refused), and checks of each answer: status, type, time,
its shape against the server's own /openapi.json, and that it says what was asked for. The names to ask
for are those that the server knows. At the end, a path of /openapi.json that was not asked is a failure.

  --url URL       the server [default: http://localhost:8080]
  --self          start a kubemonitor of this host on a free port, give it pods to know, and ask that one
  --write         push samples too, of things called kubemonitor-api-test [--self does]
  --token-file F  the token for writes, where the server wants one
  --max-ms N      an answer may take this long, and as long again for each MiB of it [default: 1000]
  --save FILE     write each request, status, time and the full answer into this file
$monitor_options_help
  --help          this text
TEXT
}

api_url=http://localhost:8080 self='' write='' token_file='' max_ms=1000 save='' binary=${KUBEMONITOR:-}
while (($#)); do
  case $1 in
    -h | --help)
      usage
      exit
      ;;
    --self) self=yes write=yes ;;
    --write) write=yes ;;
    --url | --token-file | --max-ms | --save | --binary)
      need_value "$@"
      case $1 in
        --url) api_url=${2%/} ;;
        --token-file) token_file=$2 ;;
        --max-ms) max_ms=$2 ;;
        --save) save=$2 ;;
        --binary) binary=$2 ;;
      esac
      shift
      ;;
    *) usage_error "unknown option $1" ;;
  esac
  shift
done
[[ $max_ms =~ ^[0-9]+$ ]] || usage_error "--max-ms takes a whole number"

make_work
need_commands curl jq
authorization=()
if [[ -n $token_file ]]; then
  [[ -r $token_file ]] || die "cannot read $token_file"
  # In a file of curl's own format, so that no list of processes shows it.
  printf 'header = "Authorization: Bearer %s"\n' "$(<"$token_file")" >"$work/authorization"
  authorization=(--config "$work/authorization")
fi
if [[ -n $self ]]; then
  find_monitor "$binary"
  start_monitor 500ms
fi
answers "$api_url/health" ||
  die "nobody answers at $api_url; say where with --url, or start a server here with --self"
if [[ -n $save ]]; then
  mkdir -p "$(dirname "$save")"
  { : >"$save"; } 2>/dev/null || die "cannot write to $save"
fi

step "Asking $api_url"
get_openapi
check_the_check
[[ -z $write ]] || push_samples
discover_names
ask_everything
ask_writes
check_coverage

step "Times"
sort --numeric-sort "$work/times" | awk '{all[NR] = $1} END {
  printf "%d requests: half within %d ms, nearly all (99 %%) within %d ms, the slowest %d ms\n",
    NR, all[int((NR + 1) / 2)], all[int(NR * 0.99 + 0.5)], all[NR]}'
[[ -z $save ]] || info "all answers are in $save"
verdict "the REST interface keeps its contract"
