#!/usr/bin/env bash
# What kubectl says beside what kubemonitor says: counts, and who uses how much.
set -euo pipefail
cd "$(dirname "${BASH_SOURCE[0]}")/.."

# shellcheck source=scripts/lib/all.sh
source scripts/lib/all.sh

usage() {
  cat <<'TEXT'
Usage: scripts/06-compare-with-kubectl.sh [OPTIONS]

Compares a cluster's nodes, running pods and deployments, counted by kubectl, with kubemonitor's; and CPU
and memory of each node and pod with `kubectl top`. Counts must be the same (asked again for some
seconds, since pods come and go). Figures of use are flagged where they differ by more than the
tolerance: `kubectl top` shows a rate over a span of its own, 15 s or more, so that a load that changes
shows differently.

Where there is no metrics API, or kubemonitor itself provides it, the kubelets' own summaries stand in
for `kubectl top`, asked through the Kubernetes API; where that cannot be done either, it says so.

  --url URL        the server [default: found in the cluster, through kubectl port-forward]
  --tolerance N    percent [default: 25]; differences below 20 millicores or 8 MiB are none
  --strict         a flagged figure is a failure
  --help           this text
TEXT
}

url='' tolerance=25 strict=''
while (($#)); do
  case $1 in
    -h | --help)
      usage
      exit
      ;;
    --strict) strict=yes ;;
    --url | --tolerance)
      need_value "$@"
      if [[ $1 == --url ]]; then url=${2%/}; else tolerance=$2; fi
      shift
      ;;
    *) usage_error "unknown option $1" ;;
  esac
  shift
done
[[ $tolerance =~ ^[0-9]+$ ]] || usage_error "--tolerance takes a whole number"

make_work
need_commands jq curl
need_cluster
open_api "$url"

# count WHAT: kubectl's, and kubemonitor's.
by_kubectl() {
  case $1 in
    nodes) kube get nodes --output name | wc -l ;;
    pods) kube get pods --all-namespaces --field-selector status.phase=Running --output name | wc -l ;;
    deployments)
      # A deployment without pods has nothing to measure.
      kube get deployments --all-namespaces --output json | jq '[.items[] | select((.status.replicas // 0) > 0)] | length'
      ;;
  esac
}

by_monitor() {
  case $1 in
    # Of a node that has gone, the last hour stays.
    nodes) fetch_json "$api_url/api/nodes" '[.[] | select(.stale | not)] | length' ;;
    pods) fetch_json "$api_url/api/pods" '[.[] | select(.phase == "Running" and (.ended | not))] | length' ;;
    deployments)
      fetch_json "$api_url/api/pods" '[.[] | select(.ended | not) | select(.deployment != null) | [.namespace, .deployment]] | unique | length'
      ;;
  esac
}

same_count() {
  theirs=$(by_kubectl "$1")
  ours=$(by_monitor "$1")
  [[ $theirs == "$ours" ]]
}

step "Counts: kubectl and $api_url"
for what in nodes pods deployments; do
  if wait_until 20 "the same number of $what" same_count "$what"; then
    passes "$what: $ours both"
  else
    fails "$what: kubectl counts $theirs, kubemonitor $ours"
  fi
done
comm -3 \
  <(kube get pods --all-namespaces --field-selector status.phase=Running --output json |
    jq --raw-output '.items[] | "\(.metadata.namespace)/\(.metadata.name)"' | sort) \
  <(fetch_json "$api_url/api/pods" '.[] | select(.phase == "Running" and (.ended | not)) | "\(.namespace)/\(.pod_name)"' | sort) |
  sed 's/^\t/  only kubemonitor has /; t; s/^/  only kubectl has /'

# JSON of [kind, name, millicores, bytes], from whoever is not kubemonitor.
from_top() {
  kube top nodes --no-headers | awk '{print "node", $1, $2, $4}'
  kube top pods --all-namespaces --no-headers | awk '{print "pod", $1 "/" $2, $3, $4}'
}

from_kubelets() {
  local node
  while read -r node; do
    kube get --raw "/api/v1/nodes/$node/proxy/stats/summary" >"$work/summary" 2>/dev/null || continue
    jq --raw-output --arg node "$node" '
      def line($kind; $name): select(.cpu.usageNanoCores != null and .memory.workingSetBytes != null)
        | "\($kind) \($name) \(.cpu.usageNanoCores / 1e6)m \(.memory.workingSetBytes / 1048576)Mi";
      (.node | line("node"; $node)), (.pods[] | line("pod"; "\(.podRef.namespace)/\(.podRef.name)"))' "$work/summary"
  done < <(kube get nodes --output 'jsonpath={range .items[*]}{.metadata.name}{"\n"}{end}')
}

step "Use"
provider=$(kube get apiservice v1beta1.metrics.k8s.io --output json 2>/dev/null |
  jq --raw-output '.metadata.labels["app.kubernetes.io/name"] // .spec.service.name' || true)
if [[ $provider != kubemonitor ]] && from_top >"$work/theirs" 2>/dev/null && [[ -s $work/theirs ]]; then
  source="kubectl top"
else
  [[ $provider != kubemonitor ]] || info "kubectl top is answered by kubemonitor itself here"
  from_kubelets >"$work/theirs"
  source="kubelet"
fi
if [[ ! -s $work/theirs ]]; then
  skips "CPU and memory: there is no metrics API, and the kubelets cannot be asked through the Kubernetes API"
else
  # Rates over a minute: kubectl top's are over 15 s or more.
  {
    fetch_json "$api_url/api/nodes?window=60" '.[] | "node \(.node_name) \([.samples[].cpu_millicores // empty] | if length > 0 then add / length else "-" end) \(.samples[-1].memory_working_set_bytes // "-")"'
    fetch_json "$api_url/api/pods?window=60" '.[] | "pod \(.namespace)/\(.pod_name) \([.samples[].cpu_millicores // empty] | if length > 0 then add / length else "-" end) \(.samples[-1].memory_used_bytes // "-")"'
  } >"$work/ours"
  awk -v source="$source" -v tolerance="$tolerance" -v flags="$work/flags" '
    function quantity(text) {
      if (text ~ /n$/) return text / 1e6
      if (text ~ /Ki$/) return text / 1024
      if (text ~ /Gi$/) return text * 1024
      if (text ~ /^[0-9.]+$/) return text * 1000
      return text + 0
    }
    function differ(a, b, least,    off) {
      off = a > b ? a - b : b - a
      return off > least && off > tolerance / 100 * (a > b ? a : b)
    }
    NR == FNR {cpu[$1 " " $2] = quantity($3); memory[$1 " " $2] = quantity($4); next}
    FNR == 1 {printf "%-50s %10s %10s   %10s %10s\n", "", "CPU m", "CPU m", "MiB", "MiB"
              printf "%-50s %10s %10s   %10s %10s\n", "", source, "monitor", source, "monitor"}
    ($1 " " $2) in cpu {
      key = $1 " " $2
      flag = ""
      if ($3 != "-" && differ(cpu[key], $3, 20)) flag = flag " CPU differs"
      if ($4 != "-" && differ(memory[key], $4 / 1048576, 8)) flag = flag " memory differs"
      printf "%-50s %10.0f %10s   %10.1f %10s %s\n", key, cpu[key], $3 == "-" ? "-" : sprintf("%.0f", $3),
        memory[key], $4 == "-" ? "-" : sprintf("%.1f", $4 / 1048576), flag
      print (flag == "" ? "same" : "differs") >flags
    }' "$work/theirs" "$work/ours"
  compared=$(wc -l <"$work/flags" 2>/dev/null || echo 0)
  differing=$(grep -c differs "$work/flags" 2>/dev/null || true)
  summary="use: ${differing:-0} of $compared nodes and pods differ from $source by more than $tolerance %"
  if ((compared == 0)); then
    fails "use: nothing to compare, $source and kubemonitor name nothing the same"
  elif ((${differing:-0} > 0)) && [[ -n $strict ]]; then
    fails "$summary"
  elif ((${differing:-0} > 0)); then
    warn "$summary"
  else
    passes "$summary"
  fi
fi

verdict "kubectl and kubemonitor agree"
