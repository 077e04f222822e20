# shellcheck shell=bash
# What every check begins with. run.sh sets the E2E_… variables.
set -euo pipefail

# shellcheck source=tests/e2e/lib/report.sh
source "$E2E_HERE/lib/report.sh"
# shellcheck source=tests/e2e/lib/cluster.sh
source "$E2E_HERE/lib/cluster.sh"
# shellcheck source=tests/e2e/lib/monitor.sh
source "$E2E_HERE/lib/monitor.sh"
