# shellcheck shell=bash disable=SC2034,SC2154 # variables are shared between the files of lib
# All of lib, in the order in which one needs the other. To be sourced from the repository's top folder.

# shellcheck source=scripts/lib/output.sh
source scripts/lib/output.sh
# shellcheck source=scripts/lib/cleanup.sh
source scripts/lib/cleanup.sh
# shellcheck source=scripts/lib/toolchain.sh
source scripts/lib/toolchain.sh
# shellcheck source=scripts/lib/tools.sh
source scripts/lib/tools.sh
# shellcheck source=scripts/lib/arch.sh
source scripts/lib/arch.sh
# shellcheck source=scripts/lib/http.sh
source scripts/lib/http.sh
# shellcheck source=scripts/lib/checks.sh
source scripts/lib/checks.sh
# shellcheck source=scripts/lib/monitor.sh
source scripts/lib/monitor.sh
# shellcheck source=scripts/lib/host.sh
source scripts/lib/host.sh
# shellcheck source=scripts/lib/pretend_pod.sh
source scripts/lib/pretend_pod.sh
# shellcheck source=scripts/lib/host_loads.sh
source scripts/lib/host_loads.sh
# shellcheck source=scripts/lib/images.sh
source scripts/lib/images.sh
# shellcheck source=scripts/lib/cluster.sh
source scripts/lib/cluster.sh
# shellcheck source=scripts/lib/cluster_loads.sh
source scripts/lib/cluster_loads.sh
