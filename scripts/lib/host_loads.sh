# shellcheck shell=bash disable=SC2016,SC2034,SC2154 # jq's variables; ours are shared by the files of lib
# Loads on this host, each with what was done according to the kernel and to the program that did it,
# beside what kubemonitor shows. As root they run in a pretended pod, and the pod's figures are checked
# beside the node's; else as plain processes. Needs all of lib that is for hosts. To be sourced.

mib=$((1024 * 1024))
node_path=/api/nodes/$(uname -n)

# Sets runner: what a load is run by; and pod_path, empty where there is no pod.
choose_runner() {
  pod_path='' runner=()
  if [[ $(id -u) != 0 ]]; then
    skips "figures of a pod (CPU, memory, disk, network): only root can make cgroups"
  elif ! find_cgroups; then
    skips "figures of a pod (CPU, memory, disk, network): no cgroups are mounted here"
  else
    local made=$EPOCHREALTIME
    make_pod
    runner=(in_pod) pod_path=/api/pods/$pod_uid
    info "made a pod in cgroup v$cgroup_version: $pod_cgroup"
    if wait_until 10 "the pod" answers "$api_url$pod_path"; then
      passes "pod: appears ($(seconds_since "$made") s after it was made, of 10 allowed)"
    else
      fails "pod: is not there 10 s after it was made"
      pod_path=''
    fi
  fi
}

seconds_since() { awk -v now="$EPOCHREALTIME" -v then="$1" 'BEGIN {printf "%.1f", now - then}'; }

# next_second: right after a full second, when the collector has just read too. Says which it is.
next_second() {
  sleep "$(awk -v now="$EPOCHREALTIME" 'BEGIN {printf "%.3f", 1 - (now - int(now)) + 0.01}')"
  echo "${EPOCHREALTIME%.*}"
}

# has_sample_of PATH MOMENT
has_sample_of() {
  fetch_json "$api_url$1" "$samples_jq"'.[0].timestamp | seconds >= $moment' --argjson moment "$2" 2>/dev/null |
    grep -q true
}

load_cpu() { # SECONDS
  step "CPU: $stress --cpu 1 for $1 s"
  local from to kernel_from kernel_to done_seconds pod_from='' pod_to=''
  [[ -z $pod_path ]] || fresh_sample "$pod_path" >"$work/pod-before" || true
  from=$(next_second)
  kernel_from=$(host_cpu_seconds)
  [[ -z $pod_path ]] || pod_from=$(cgroup_cpu_ns "$pod_cgroup")
  # What the process itself used, as the kernel tells its parent when it ends: not by way of a cgroup.
  TIMEFORMAT='%3U %3S'
  { time "${runner[@]}" "$stress" --cpu 1 --timeout "$1" >"$work/stress" 2>&1; } 2>"$work/times" ||
    { sed 's/^/  /' "$work/stress" && die "$stress does not run"; }
  done_seconds=$(awk '{printf "%.3f", $1 + $2}' "$work/times")
  to=$(next_second)
  kernel_to=$(host_cpu_seconds)
  [[ -z $pod_path ]] || pod_to=$(cgroup_cpu_ns "$pod_cgroup")
  wait_until 10 "the figures of this moment" has_sample_of "$node_path" "$to" || true
  info "$stress used $done_seconds s of CPU time in $((to - from)) s"
  within 5 "node: CPU, against /proc/stat" s "$(cpu_seconds "$node_path" "$from" "$to")" \
    "$(awk -v from="$kernel_from" -v to="$kernel_to" 'BEGIN {print to - from}')"
  if [[ -n $pod_path ]]; then
    local shown
    shown=$(cpu_seconds "$pod_path" "$from" "$to")
    within 5 "pod: CPU, against the load's own times" s "$shown" "$done_seconds"
    within 5 "pod: CPU, against its cgroup" s "$shown" \
      "$(awk -v from="$pod_from" -v to="$pod_to" 'BEGIN {print (to - from) / 1e9}')"
  fi
}

load_memory() { # MIB
  step "Memory: $1 MiB that $stress holds"
  local before='' after pid turn
  [[ -z $pod_path ]] || before=$(fresh_sample "$pod_path") || true
  "${runner[@]}" "$stress" --vm 1 --vm-bytes "$1M" --vm-keep --vm-hang 30 --timeout 60 >"$work/stress" 2>&1 &
  pid=$!
  at_exit end_tree "$pid"
  wait_until 20 "the memory to be taken" tree_holds "$pid" "$(($1 * mib))" || die "$stress takes no memory"
  # The node's memory never stands still: the mean over some seconds, of both.
  local from to sum=0
  from=$(next_second)
  for turn in {1..5}; do
    to=$(next_second)
    sum=$((sum + $(host_memory_used)))
  done
  wait_until 10 "the figures of this moment" has_sample_of "$node_path" "$to" || true
  within 5 "node: memory used, against /proc/meminfo" MiB "$(fetch_json "$api_url$node_path?start=$((from + 1))&end=$to" \
    '[.[].memory_used_bytes] | add / length / 1048576')" "$((sum / 5 / mib))"
  if [[ -n $pod_path ]]; then
    after=$(fresh_sample "$pod_path") || true
    within 5 "pod: memory, against the allocation" MiB \
      "$(jq --null-input --argjson bytes "$(increase "$before" "$after" memory_used_bytes)" '$bytes / 1048576')" "$1"
  fi
  end_tree "$pid"
}

# The process and all below it.
tree() {
  local child children=()
  echo "$1"
  { read -r -a children <"/proc/$1/task/$1/children"; } 2>/dev/null || true
  for child in "${children[@]}"; do tree "$child"; done
}

end_tree() {
  local pids=()
  mapfile -t pids < <(tree "$1")
  kill -9 "${pids[@]}" 2>/dev/null || true
  wait "$1" 2>/dev/null || true
}

# tree_holds PID BYTES: resident in one process of the tree.
tree_holds() {
  local pid
  for pid in $(tree "$1"); do
    awk -v bytes="$2" '$1 == "VmRSS:" && $2 * 1024 >= bytes {found = 1} END {exit !found}' \
      "/proc/$pid/status" 2>/dev/null && return
  done
  return 1
}

load_disk() { # MIB FOLDER
  step "Disk: dd writes $1 MiB to $2, past the page cache"
  if ! holds_files_on_disk "$2"; then
    skips "disk: $2 is not on a disk of this host; choose a folder with --disk-dir"
    return
  fi
  local file bytes=$(($1 * mib)) node_before node_after pod_before pod_after='' kernel_before kernel_after
  file=$(mktemp "$2/kubemonitor-test.XXXXXX")
  at_exit rm -f "$file"
  # Before the first write: as long as the kernel has counted none, nobody can tell whether it counts, and the
  # pod's figures are not known.
  [[ -z $pod_path ]] || count_pod_disk "$2"
  if ! dd if=/dev/zero "of=$file" bs=1M count=1 oflag=direct 2>/dev/null; then
    skips "disk: the file system of $2 has no direct I/O; choose a folder with --disk-dir"
    return
  fi
  [[ -z $pod_path ]] || pod_before=$(fresh_sample "$pod_path") || true
  # In this order, and in the opposite one afterwards, so that both spans have the whole load in them.
  next_second >/dev/null
  kernel_before=$(host_disk_written)
  node_before=$(fetch_json "$api_url$node_path" '.[0]' --compact-output)
  during "writing" "${runner[@]}" dd if=/dev/zero "of=$file" bs=1M "count=$1" oflag=direct conv=fsync 2>"$work/dd" ||
    { sed 's/^/  /' "$work/dd" && die "dd does not write to $2"; }
  tail -1 "$work/dd"
  local at
  at=$(next_second)
  kernel_after=$(host_disk_written)
  wait_until 10 "the figures of this moment" has_sample_of "$node_path" "$at" || true
  node_after=$(fetch_json "$api_url$node_path?start=$at&end=$at" '.[0]' --compact-output)
  within 5 "node: disk, against /proc/diskstats" MiB \
    "$(in_mib "$(increase "$node_before" "$node_after" disk_write_bytes)")" \
    "$(in_mib $((kernel_after - kernel_before)))"
  if [[ -n $pod_path ]]; then
    pod_after=$(fresh_sample "$pod_path") || true
    within 5 "pod: disk, against what dd wrote" MiB \
      "$(in_mib "$(increase "$pod_before" "$pod_after" disk_write_bytes)")" "$(in_mib "$bytes")"
  elif ((kernel_after - kernel_before < bytes)); then
    fails "node: the kernel counted less than dd wrote"
  fi
  rm -f "$file"
}

in_mib() { jq --null-input --argjson bytes "$1" 'if $bytes == null then null else $bytes / 1048576 end'; }

load_network() { # SECONDS
  step "Network: iperf3 for $1 s out and $1 s in"
  if [[ -z $pod_path || -z $peer_netns ]]; then
    skips "network: needs root, and network namespaces joined by a veth pair (\`ip netns\`)"
    return
  fi
  local direction
  # Between two namespaces, through no card: on the node it must not show.
  local cards_before='' cards_after node_before node_after total=0
  next_second >/dev/null
  cards_before=$(host_network) || true
  node_before=$(fetch_json "$api_url$node_path" '.[0]' --compact-output)
  for direction in tx rx; do iperf_once "$direction" "$1" || return 0; done
  local at
  at=$(next_second)
  cards_after=$(host_network) || true
  if [[ -n $cards_before ]]; then
    wait_until 10 "the figures of this moment" has_sample_of "$node_path" "$at" || true
    node_after=$(fetch_json "$api_url$node_path?start=$at&end=$at" '.[0]' --compact-output)
    within 5 "node: network, against its cards' counters" MiB \
      "$(jq --null-input --argjson before "$node_before" --argjson after "$node_after" \
        '($after | .network_rx_bytes + .network_tx_bytes) - ($before | .network_rx_bytes + .network_tx_bytes)
         | . / 1048576')" \
      "$(awk -v before="$cards_before" -v after="$cards_after" 'BEGIN {
          split(before, b, " "); split(after, a, " ")
          print (a[1] + a[2] - b[1] - b[2]) / 1048576}')" 1
  else
    skips "node: network: this host has no card"
  fi
}

# iperf_once tx|rx SECONDS: one run, the pod sending or receiving. iperf3 counts what its connections
# carried; the cable carried a header with each packet too: 14 bytes of Ethernet, 20 of IPv4, 32 of TCP
# with timestamps, for as many packets as the kernel passed (up to 64 KiB each, so that it is little).
iperf_once() {
  local header=66 reverse=() server before after link_before link_after carried packets bytes
  [[ $1 == tx ]] || reverse=(--reverse)
  ip netns exec "$peer_netns" iperf3 --server --one-off --bind "$peer_address" >"$work/iperf-server" 2>&1 &
  server=$!
  at_exit end_process "$server"
  wait_until 10 "iperf3 to listen" iperf_listens || { fails "network: iperf3 does not listen" && return 1; }
  before=$(fresh_sample "$pod_path") || true
  link_before=$(pod_link "$1")
  "${runner[@]}" iperf3 --client "$peer_address" --time "$2" --bitrate 400M --json "${reverse[@]}" >"$work/iperf" 2>&1 ||
    { fails "network: iperf3: $(jq --raw-output '.error' "$work/iperf" 2>/dev/null)" && return 1; }
  link_after=$(pod_link "$1")
  after=$(fresh_sample "$pod_path") || true
  if [[ $1 == tx ]]; then carried=$(jq .end.sum_sent.bytes "$work/iperf"); else carried=$(jq .end.sum_received.bytes "$work/iperf"); fi
  packets=$((${link_after#* } - ${link_before#* }))
  bytes=$((${link_after% *} - ${link_before% *}))
  local shown
  shown=$(in_mib "$(increase "$before" "$after" "network_${1}_bytes")")
  within 5 "pod: network $1, against iperf3 and $packets headers" MiB "$shown" "$(in_mib $((carried + packets * header)))"
  within 5 "pod: network $1, against its interface" MiB "$shown" "$(in_mib "$bytes")"
  end_process "$server"
}

iperf_listens() { [[ -n $(ip netns exec "$peer_netns" ss --listening --tcp --no-header 'sport = 5201') ]]; }

end_pod() {
  [[ -n $pod_path ]] || return 0
  step "The pod ends"
  local removed=$EPOCHREALTIME
  remove_pod
  if wait_until 15 "the pod to be gone" pod_is_gone; then
    passes "pod: disappears ($(seconds_since "$removed") s after it ended, of 15 allowed)"
  else
    fails "pod: is still listed 15 s after it ended"
  fi
}

pod_is_gone() {
  fetch_json "$api_url/api/pods" 'any(.uid == $uid and (.ended | not)) | not' --arg uid "$pod_uid" 2>/dev/null |
    grep -q true
}

load_host() { # FOLDER
  choose_runner
  load_cpu 12
  load_memory 256
  load_disk 500 "$1"
  load_network 4
  end_pod
}
