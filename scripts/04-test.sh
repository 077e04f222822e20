#!/usr/bin/env bash
# Load tests that measure: what kubemonitor shows must be what was done, to within 5 %.
set -euo pipefail
cd "$(dirname "${BASH_SOURCE[0]}")/.."

# shellcheck source=scripts/lib/all.sh
source scripts/lib/all.sh

usage() {
  cat <<TEXT
Usage: scripts/04-test.sh [OPTIONS]

Loads this host and, where kubectl reaches a cluster with kubemonitor in it, that cluster, and compares
what kubemonitor shows with what was done: according to the load itself (iperf3, dd, the times of a
process) and to the kernel's counters over the same span. More than 5 % off is a failure.

  CPU         stress, for some seconds
  memory      256 MiB, allocated and held
  disk        500 MiB, written past the page cache
  network     iperf3, both ways
  pods        appear, multiply from 3 to 5, and disappear in time

On the host it starts a kubemonitor of its own on a free port. As root it makes a pod of its own there
(a cgroup and a network namespace); without root only the node's figures are checked, and it says so.
All that it makes is gone when it ends.

  --host           the host only
  --cluster        the cluster only; it is a failure if there is none
  --url URL        ask this server about the cluster [default: found in it, through kubectl port-forward]
  --node NAME      run the cluster's loads on this node [default: where they land]
  --import COMMAND load the loads' image so: COMMAND gets the image's archive on its standard input
                   [default: as minikube, kind or k3s want it]
  --disk-dir DIR   write here; must be on a disk [default: result]
$monitor_options_help
  --help           this text
TEXT
}

on_host=yes on_cluster=maybe url='' node='' import='' disk_dir=result binary=${KUBEMONITOR:-}
while (($#)); do
  case $1 in
    -h | --help)
      usage
      exit
      ;;
    --host) on_cluster='' ;;
    --cluster) on_host='' on_cluster=yes ;;
    --url | --node | --import | --disk-dir | --binary)
      need_value "$@"
      case $1 in
        --url) url=${2%/} ;;
        --node) node=$2 ;;
        --import) import=$2 ;;
        --disk-dir) disk_dir=$2 ;;
        --binary) binary=$2 ;;
      esac
      shift
      ;;
    *) usage_error "unknown option $1" ;;
  esac
  shift
done

make_work
mkdir -p "$disk_dir" 2>/dev/null || true
[[ -w $disk_dir ]] || die "cannot write to $disk_dir; choose another folder with --disk-dir"
need_commands jq curl

if [[ -n $on_host ]]; then
  need_commands iperf3
  find_stress
  find_monitor "$binary"
  step "This host"
  start_monitor 500ms
  load_host "$disk_dir"
fi

if [[ -n $on_cluster ]]; then
  step "The cluster"
  if reason=$(no_cluster "$url"); then
    [[ $on_cluster != yes ]] || die "no cluster to test: $reason"
    skips "the cluster: $reason"
  else
    load_cluster "$url" "$node" "$import"
  fi
fi

verdict "what kubemonitor shows is what was done"
