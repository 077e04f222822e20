#!/usr/bin/env bash
# Tells how this node's cgroups are laid out, and what kubemonitor's collector sees in them.
set -euo pipefail
cd "$(dirname "${BASH_SOURCE[0]}")/.."

# shellcheck source=scripts/lib/all.sh
source scripts/lib/all.sh

usage() {
  cat <<TEXT
Usage: scripts/debug-cgroup.sh [OPTIONS]

Tells which cgroup version, driver and layout this node has, which controllers are where and what they
lack, and which pods and containers are there; then starts a kubemonitor on a free port for a moment and
tells which of them its collector sees. To be run on the node itself, as any user. Changes nothing.

  --no-collector   only look, start nothing
$monitor_options_help
  --help           this text
TEXT
}

collector=yes binary=${KUBEMONITOR:-}
while (($#)); do
  case $1 in
    -h | --help)
      usage
      exit
      ;;
    --no-collector) collector='' ;;
    --binary)
      need_value "$@"
      binary=$2
      shift
      ;;
    *) usage_error "unknown option $1" ;;
  esac
  shift
done

make_work
need_commands jq curl
line() { printf '%-22s %s\n' "$@"; }

step "This node"
line kernel "$(uname -r)"
find_cgroups || die "no cgroups are mounted here"
unified=$(awk '$3 == "cgroup2" {print $2; exit}' /proc/self/mounts)
if ((cgroup_version == 2)); then
  line "cgroup version" "v2, at $unified"
elif [[ -n $unified ]]; then
  line "cgroup version" "v1, with an additional v2 tree at $unified (hybrid)"
else
  line "cgroup version" v1
fi
line "own cgroup" "$(tr '\n' ' ' </proc/self/cgroup)"

step "Controllers"
if ((cgroup_version == 1)); then
  for controller in cpu cpuacct memory blkio; do
    line "$controller" "${cgroup_roots[$controller]:-not mounted: its figures will be unknown}"
  done
else
  line "the root has" "$(<"$unified/cgroup.controllers")"
  line "it hands down" "$(<"$unified/cgroup.subtree_control")"
  for controller in cpu memory io; do
    grep -qw "$controller" "$unified/cgroup.subtree_control" ||
      warn "$controller is not handed down: its figures of pods will be unknown"
  done
fi
if [[ -r /proc/pressure/cpu ]] && head -1 /proc/pressure/cpu >/dev/null 2>&1; then line PSI yes; else line PSI "no (psi=0, or not built in)"; fi
if ((cgroup_version == 1)) && [[ $(printf '6.10\n%s\n' "$(uname -r)" | sort --version-sort | head -1) == 6.10 ]]; then
  warn "Linux 6.10 and later count no I/O on cgroup v1 for a disk that nobody has set a limit for: until then disk figures of pods are not known (null)"
fi

step "Pods"
root=${cgroup_roots[memory]}
# In kubelets' own words: pod<uid> below kubepods (cgroupfs), or kubepods-...-pod<uid>.slice (systemd).
find "$root" -type d \( -path '*kubepods*/pod*' -o -name '*kubepods*-pod*.slice' \) -prune -print 2>/dev/null >"$work/pods" || true
drivers=''
grep -q '\.slice$' "$work/pods" && drivers+=' systemd'
grep -qv '\.slice$' "$work/pods" && drivers+=' cgroupfs'
if [[ -z $drivers ]]; then
  line driver "none to be seen: no kubelet has made a pod here"
else
  line driver "${drivers# }"
  line "below" "$(sed -E "s,^$root,,; s,(kubepods(\.slice)?).*,\1," "$work/pods" | sort | uniq -c | awk '{print $2 " (" $1 " pods)"}' | paste -sd ' ')"
fi
: >"$work/containers"
while read -r pod; do
  find "$pod" -mindepth 1 -maxdepth 1 -type d 2>/dev/null | grep -vE 'crio-conmon-' >>"$work/containers" || true
done <"$work/pods"
line "pods, containers" "$(wc -l <"$work/pods"), $(wc -l <"$work/containers") (sandboxes are containers too)"
line runtime "$(awk -F / '{
  kind = match($NF, /^(cri-containerd|crio|docker)-/) ? substr($NF, 1, RLENGTH - 1) : "not named (cgroupfs)"
  count[kind]++
} END {for (kind in count) printf "%s: %d  ", kind, count[kind]}' "$work/containers")"
# UIDs, as the collector writes them.
sed -E 's,.*/,,; s,\.slice$,,; s,.*pod,,; s,_,-,g' "$work/pods" | sort >"$work/uids"

if [[ -z $collector ]]; then
  ok "looked at $(wc -l <"$work/pods") pods; the collector was not asked"
  exit
fi

find_monitor "$binary"
step "What the collector sees"
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
line "containers" "$(fetch_json "$api_url/api/pods" '[.[] | select(.ended | not).container_count // 0] | add // 0') of $(wc -l <"$work/containers")"
line "units besides pods" "$(fetch_json "$api_url/api/nodes/$monitor_node/units" length 2>/dev/null || echo 0)"
missed=$(comm -23 "$work/uids" "$work/seen" | paste -sd ' ')
if [[ -n $missed ]]; then
  # A pod may have ended since.
  for uid in $missed; do
    [[ -n $(find "$root" -type d \( -name "pod$uid" -o -name "*pod${uid//-/_}.slice" \) -print -quit 2>/dev/null) ]] &&
      die "the collector does not see pod $uid"
  done
fi
ok "cgroup v$cgroup_version,${drivers:- no} driver: the collector sees all $(wc -l <"$work/seen") pods"
