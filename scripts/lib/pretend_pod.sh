# shellcheck shell=bash disable=SC2034,SC2154 # variables are shared between the files of lib
# A pod that no Kubernetes knows: cgroups as a kubelet makes them, and a network namespace with a cable
# to another one. Processes in it are, to kubemonitor, a pod's. As root only. Needs output.sh,
# cleanup.sh, host.sh. To be sourced.
#
# The cgroups are below a folder of their own, not in the node's /kubepods: there a kubelet removes
# what it has not made.

# An address block for benchmarks (RFC 2544), in namespaces of its own: no route of the host changes.
pod_address=198.19.255.1 peer_address=198.19.255.2

# make_pod: sets pod_uid, pod_cgroup, pod_netns, peer_netns. It has one sleeping process, as a pod has
# its sandbox.
make_pod() {
  local id
  pod_uid=$(</proc/sys/kernel/random/uuid)
  id=$(tr -d - </proc/sys/kernel/random/uuid)$(tr -d - </proc/sys/kernel/random/uuid)
  pod_top=kubemonitor-test-$$
  pod_cgroup=$pod_top/kubepods/besteffort/pod$pod_uid
  pod_container=$pod_cgroup/$id
  at_exit remove_pod
  make_pod_network
  ((cgroup_version == 1)) || enable_controllers ''
  local mount path='' part
  while read -r mount; do
    path=''
    for part in ${pod_container//\// }; do
      path+=${path:+/}$part
      mkdir -p "$mount/$path"
      ((cgroup_version == 1)) || [[ $path == "$pod_container" ]] || enable_controllers "$path"
    done
  done < <(cgroup_mounts)
  { in_pod sleep infinity; } 2>/dev/null &
  disown
}

# in_pod COMMAND...: runs it as a process of the pod.
in_pod() {
  local netns=()
  [[ -z $pod_netns ]] || netns=(ip netns exec "$pod_netns")
  join_pod "${netns[@]}" "$@"
}

join_pod() {
  local files=() mount
  while read -r mount; do files+=("$mount/$pod_container/cgroup.procs"); done < <(cgroup_mounts)
  # shellcheck disable=SC2016 # the inner shell's variables
  bash -c 'while [[ $1 != -- ]]; do echo $$ >"$1"; shift; done; shift; exec "$@"' in-pod "${files[@]}" -- "$@"
}

# On v2 a cgroup has the controllers that all above it hand down. What this turns on in the root stays
# on: to turn it off could hit others.
enable_controllers() {
  local controller
  for controller in cpu memory io; do
    echo "+$controller" >"${cgroup_roots[memory]}/$1/cgroup.subtree_control" 2>/dev/null || true
  done
}

# count_pod_disk FOLDER: from Linux 6.10 on, cgroup v1 counts a disk's traffic only after somebody has set
# a limit for that disk. This sets one for the pod that nothing reaches; the kernel then counts on, for
# all cgroups, until it is started anew.
count_pod_disk() {
  ((cgroup_version == 1)) && [[ -n ${cgroup_roots[blkio]:-} ]] || return 0
  local device disk
  device=/sys/dev/block/$(findmnt --noheadings --output MAJ:MIN --target "$1" | tail -1 | tr -d ' ')
  device=$(readlink -f "$device")
  [[ ! -e $device/partition ]] || device=$(dirname "$device")
  for disk in "$device" "$device"/slaves/*; do
    [[ -e $disk ]] || continue
    disk=$(readlink -f "$disk")
    [[ ! -e $disk/partition ]] || disk=$(dirname "$disk")
    echo "$(<"$disk/dev") 1000000000000" \
      >"${cgroup_roots[blkio]}/$pod_cgroup/blkio.throttle.write_bps_device" 2>/dev/null || true
  done
}

make_pod_network() {
  pod_netns='' peer_netns=''
  command -v ip >/dev/null || return 0
  local pod=km-pod-$$ peer=km-peer-$$
  ip netns add "$pod" 2>/dev/null || return 0
  pod_netns=$pod
  if ! { ip netns add "$peer" &&
    ip -n "$pod" link add eth0 type veth peer name eth0 netns "$peer"; } 2>/dev/null; then
    return 0
  fi
  peer_netns=$peer
  ip -n "$pod" link set lo up
  ip -n "$pod" address add "$pod_address/30" dev eth0
  ip -n "$pod" link set eth0 up
  ip -n "$peer" link set lo up
  ip -n "$peer" address add "$peer_address/30" dev eth0
  ip -n "$peer" link set eth0 up
}

# pod_link FIELD: rx or tx of the pod's cable, "BYTES PACKETS", as the kernel counted.
pod_link() {
  ip -n "$pod_netns" -s -j link show dev eth0 | jq --raw-output --arg way "$1" \
    '.[0].stats64[$way] | "\(.bytes) \(.packets)"'
}

pod_processes() {
  local mount
  while read -r mount; do
    cat "$mount/$pod_container/cgroup.procs" 2>/dev/null || true
  done < <(cgroup_mounts) | sort -u
}

# What is there of it goes; safe to repeat.
remove_pod() {
  local turn pid mount folder
  for turn in {1..50}; do
    local pids=()
    mapfile -t pids < <(pod_processes)
    ((${#pids[@]})) || break
    for pid in "${pids[@]}"; do kill -9 "$pid" 2>/dev/null; done
    sleep 0.1
  done
  while read -r mount; do
    [[ -d $mount/$pod_top ]] || continue
    while read -r folder; do rmdir "$folder" 2>/dev/null; done < <(find "$mount/$pod_top" -depth -type d)
  done < <(cgroup_mounts)
  for folder in "$pod_netns" "$peer_netns"; do
    [[ -z $folder ]] || ip netns delete "$folder" 2>/dev/null
  done
  pod_netns='' peer_netns=''
  return 0
}
