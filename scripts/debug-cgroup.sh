#!/usr/bin/env bash
# Tells what counts on this node and why, and whether kubemonitor shows it.
set -euo pipefail
cd "$(dirname "${BASH_SOURCE[0]}")/.."

# shellcheck source=scripts/lib/all.sh
source scripts/lib/all.sh

usage() {
  cat <<TEXT
Usage: scripts/debug-cgroup.sh [OPTIONS]

Prints what kubemonitor-collector --explain says of this node: cgroup version, driver, rights, and of each
cgroup whether it counts, as what and why. Then starts a kubemonitor on a free port for a moment and checks
that it shows every pod that counts. To be run on the node itself, as any user. Changes nothing.

  --no-collector   only explain, start nothing
  --collector FILE the kubemonitor-collector command to use [default: the one beside kubemonitor, or built]
$monitor_options_help
  --help           this text
TEXT
}

collect=yes binary=${KUBEMONITOR:-} explainer=''
while (($#)); do
  case $1 in
    -h | --help)
      usage
      exit
      ;;
    --no-collector) collect='' ;;
    --binary)
      need_value "$@"
      binary=$2
      shift
      ;;
    --collector)
      need_value "$@"
      explainer=$2
      shift
      ;;
    *) usage_error "unknown option $1" ;;
  esac
  shift
done

make_work
if [[ -z $explainer && -n $binary && -x ${binary%/*}/kubemonitor-collector ]]; then
  explainer=${binary%/*}/kubemonitor-collector
elif [[ -z $explainer ]]; then
  ensure_rust
  step "Building kubemonitor-collector (minutes the first time)"
  cargo build --profile quick --locked --package kubemonitor-collector
  explainer=${CARGO_TARGET_DIR:-target}/quick/kubemonitor-collector
fi

step "What counts here"
"$explainer" --explain | tee "$work/report"
# Rows of pods are `pod PROCESSES pod UID (CLASS) CGROUP`.
awk '$1 == "pod" {print $4}' "$work/report" | sort -u >"$work/uids"

if [[ -z $collect ]]; then
  ok "$(wc -l <"$work/uids") pods count; no kubemonitor was asked"
  exit
fi

need_commands jq curl
find_monitor "$binary"
step "What kubemonitor shows"
start_monitor 500ms
sleep 1.5
fetch_json "$api_url/api/pods" '.[] | select(.ended | not) | .uid' | sort >"$work/seen"
fetch_json "$api_url/api/pods" '
  def known: if . == null then "-" else . end;
  .[] | select(.ended | not) | [.uid, .qos_class, .container_count, (.cpu_millicores | known), (.memory_used_mb | known),
    (.disk_write_bytes | known), (.network_rx_bytes | known)] | @tsv' >"$work/table"
if [[ -s $work/table ]]; then
  { printf 'POD UID\tQOS\tCONTAINERS\tCPU m\tMEM MiB\tDISK W\tNET RX\n' && cat "$work/table"; } | awk -F '\t' \
    '{printf "%-38s %-11s %10s %9s %9s %12s %12s\n", $1, $2, $3, $4, $5, $6, $7}'
fi
sed 's/^/  collector: /' "$work/monitor.err"
info "units besides pods: $(fetch_json "$api_url/api/nodes/$monitor_node/units" length 2>/dev/null || echo 0)"
missed=$(comm -23 "$work/uids" "$work/seen" | paste -sd ' ')
if [[ -n $missed ]]; then
  # Some may have ended since.
  "$explainer" --explain | awk '$1 == "pod" {print $4}' | sort -u >"$work/uids"
  missed=$(comm -23 "$work/uids" "$work/seen" | paste -sd ' ')
  [[ -z $missed ]] || die "kubemonitor does not show these pods: $missed"
fi
ok "kubemonitor shows all $(wc -l <"$work/seen") pods that count"
