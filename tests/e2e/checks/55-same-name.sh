#!/usr/bin/env bash
# A StatefulSet's pod, made again under its old name, is one pod at a time.
# shellcheck source=tests/e2e/lib/check.sh
source "$E2E_HERE/lib/check.sh"

uid() { in_own get pod ordered-0 --output jsonpath='{.metadata.uid}'; }

# unlike_one UID: one pod of that name, the new one, in every list; its StatefulSet has one pod's memory.
unlike_one() {
  wrong 'map(select(.pod_name == "ordered-0")) | if length == 1 and .[0].uid == $uid and .[0].cpu_millicores != null
    then empty else "\(length) are listed: \(map([.uid, .cpu_millicores]))" end' "$own/pods" --arg uid "$1"
  wrong 'if length == 1 and .[0].uid == $uid then empty else map([.uid, .ended]) end' \
    "$own/pods/ordered-0" --arg uid "$1"
  wrong '.[] | select(.pod_count != 1) | "\(.pod_count) pods are counted"' "$own/workloads/StatefulSet/ordered"
}

# Each pod holds 16 MiB. Two at a time would be 32 or more.
doubled() {
  wrong '.[] | select(.pod_count > 1 or (.memory_used_bytes // 0) > 28 * 1048576)
    | "\(.timestamp): \(.pod_count) pods, \(.memory_used_bytes) bytes"' \
    "$own/workloads/StatefulSet/ordered?window=120"
}

# made_again OLD: waits for the pod's successor; sets `new`.
made_again() {
  eventually 300 rolled_out statefulset/ordered
  new=$(uid)
  [[ -n $new && $new != "$1" ]] || { failed "the pod was made again" && exit; }
}

past_of() { # UID
  wrong 'if map(select((.memory_used_bytes // 0) > 0)) == [] then "\(length) samples" else empty end' \
    "/api/pods/$1?window=600"
}

old=$(uid)
in_own delete pod ordered-0 >/dev/null
made_again "$old"
holds_within 60 "the pod that took over the name is the one told, and the only one" unlike_one "$new"
holds "its StatefulSet was never the sum of both" doubled
holds "the past of the one before is told by its UID" past_of "$old"

# Now on another node: another collector tells of it, which knows nothing of the one before.
from=$(in_own get pod ordered-0 --output jsonpath='{.spec.nodeName}')
hostname=$(other_than "$from")
if [[ -z $hostname ]]; then
  skipped "a pod that goes to another node under its name: no other node takes pods"
  exit
fi
old=$new
in_own patch statefulset ordered --patch "$(jq --null-input --arg hostname "$hostname" \
  '{spec: {template: {spec: {nodeSelector: {"kubernetes.io/hostname": $hostname}}}}}')" >/dev/null
made_again "$old"
to=$(in_own get pod ordered-0 --output jsonpath='{.spec.nodeName}')
on_its_node() { wrong '.[] | select(.node_name != $node) | "on \(.node_name)"' "$own/pods/ordered-0" --arg node "$to"; }
holds_within 60 "the pod that took over the name on $to, from $from, is the only one" unlike_one "$new"
holds "it is told on $to" on_its_node
holds "its StatefulSet was never the sum of those on both nodes" doubled
holds "the past of the one on $from is told by its UID" past_of "$old"
