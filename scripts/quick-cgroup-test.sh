#!/usr/bin/env bash
# In a few seconds: does kubemonitor measure a pod right on this machine?
set -euo pipefail
cd "$(dirname "${BASH_SOURCE[0]}")/.."

# shellcheck source=scripts/lib/all.sh
source scripts/lib/all.sh

usage() {
  cat <<TEXT
Usage: scripts/quick-cgroup-test.sh [OPTIONS]

Starts a kubemonitor on a free port, makes a pod (a cgroup as a kubelet makes them, with this host's cgroup
version), lets it use CPU time and 64 MiB for three seconds, and compares what is shown with what the
kernel counted. As root, since only root can make cgroups. Nothing stays. scripts/04-test.sh tests more.

$monitor_options_help
  --help           this text
TEXT
}

monitor_options "$@"

[[ $(id -u) == 0 ]] || die "only root can make cgroups: sudo $0"
make_work
need_commands jq curl
find_stress
find_cgroups || die "no cgroups are mounted here"
find_monitor "$binary"
start_monitor 200ms
choose_runner
[[ -n $pod_path ]] || verdict "a pod is measured"
load_cpu 3
load_memory 64
end_pod
verdict "a pod is measured right, on cgroup v$cgroup_version"
