# shellcheck shell=bash disable=SC2034,SC2154 # variables are shared between the files of lib
# This host: its cgroups, and what its kernel counted. Needs output.sh. To be sourced.

# Reads where cgroups are. Sets cgroup_version to 1 or 2, and cgroup_roots to the mount point of each
# hierarchy that matters, by controller: on v2 all have the same. A hybrid host, with the controllers
# on v1 and an empty v2 tree beside them, is a v1 host.
find_cgroups() {
  declare -gA cgroup_roots=()
  cgroup_version=''
  local type options folder controller v2=''
  while read -r _ folder type options _; do
    case $type in
      cgroup2) v2=$folder ;;
      cgroup)
        for controller in cpu cpuacct memory blkio; do
          [[ ,$options, != *,$controller,* ]] || cgroup_roots[$controller]=${cgroup_roots[$controller]:-$folder}
        done
        ;;
    esac
  done </proc/self/mounts
  if [[ -n ${cgroup_roots[memory]:-} || -n ${cgroup_roots[cpuacct]:-} ]]; then
    cgroup_version=1
  elif [[ -n $v2 ]]; then
    cgroup_version=2
    for controller in cpu memory io; do cgroup_roots[$controller]=$v2; done
  fi
  [[ -n $cgroup_version ]]
}

# The folders that cgroup_roots names, each once.
cgroup_mounts() { printf '%s\n' "${cgroup_roots[@]}" | sort -u; }

# cgroup_cpu_ns PATH: CPU time that a cgroup used.
cgroup_cpu_ns() {
  if ((cgroup_version == 1)); then
    cat "${cgroup_roots[cpuacct]}/$1/cpuacct.usage"
  else
    awk '$1 == "usage_usec" {printf "%.0f\n", $2 * 1000}' "${cgroup_roots[cpu]}/$1/cpu.stat"
  fi
}

# cgroup_memory PATH: bytes charged to a cgroup.
cgroup_memory() {
  if ((cgroup_version == 1)); then
    cat "${cgroup_roots[memory]}/$1/memory.usage_in_bytes"
  else
    cat "${cgroup_roots[memory]}/$1/memory.current"
  fi
}

# CPU time of this host that was neither idle nor waiting for I/O, in seconds.
host_cpu_seconds() {
  awk -v hz="$(getconf CLK_TCK)" '$1 == "cpu" {printf "%.2f\n", ($2 + $3 + $4 + $7 + $8 + $9) / hz}' /proc/stat
}

# MemTotal - MemAvailable, in bytes.
host_memory_used() {
  awk '$1 == "MemTotal:" {total = $2} $1 == "MemAvailable:" {available = $2}
    END {printf "%.0f\n", (total - available) * 1024}' /proc/meminfo
}

# Bytes written to this host's disks: whole ones, and none that stands on others.
host_disk_written() {
  awk '
    function disk(name) { return name !~ /^(loop|ram|zram|dm-|md|sr|fd|drbd|bcache|zd|nbd|st|mtdblock)[0-9]/ }
    disk($3) {names[$3] = $10}
    END {
      for (name in names) {
        whole = 1
        for (other in names) {
          rest = substr(name, length(other) + 1)
          if (name != other && index(name, other) == 1 &&
              (rest ~ /^p[0-9]+$/ || (other !~ /[0-9]$/ && rest ~ /^[0-9]+$/))) whole = 0
        }
        if (whole) sectors += names[name]
      }
      printf "%.0f\n", sectors * 512
    }' /proc/diskstats
}

# Bytes that entered and left this host through its cards: "RX TX". Fails where it has none.
host_network() {
  local card rx=0 tx=0 cards=0
  for card in /sys/class/net/*/device; do
    [[ -e $card ]] || continue
    card=${card%/device}
    [[ ! -e $card/master/bonding ]] || continue
    cards=$((cards + 1))
    rx=$((rx + $(<"$card/statistics/rx_bytes")))
    tx=$((tx + $(<"$card/statistics/tx_bytes")))
  done
  ((cards)) && echo "$rx $tx"
}

# holds_files_on_disk FOLDER: whether what is written there goes to a disk that the kernel counts.
holds_files_on_disk() {
  local device
  device=$(findmnt --noheadings --output MAJ:MIN --target "$1" 2>/dev/null | tail -1 | tr -d ' ')
  [[ -n $device && ${device%%:*} != 0 && -e /sys/dev/block/$device ]]
}
