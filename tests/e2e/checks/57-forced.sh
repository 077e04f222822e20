#!/usr/bin/env bash
# A pod that is deleted by force: Kubernetes forgets it at once, and its node perhaps later.
# shellcheck source=tests/e2e/lib/check.sh
source "$E2E_HERE/lib/check.sh"

unmeasured() {
  wrong 'if any(.pod_name == "forced" and .memory_used_bytes > 0) then empty else map(.pod_name) end' "$own/pods"
}

# Under its name or, as what runs and is not known, under its UID.
still_listed() {
  wrong '.[] | select(.uid == $uid or .pod_name == "forced") | "\(.pod_name) is listed"' /api/pods --arg uid "$uid"
}

forgotten() {
  wrong 'if any((.memory_used_bytes // 0) > 0) then empty else "\(length) samples" end' "/api/pods/$uid?window=600"
}

apply forced.yaml
in_own wait --for condition=Ready --timeout 300s pod/forced >/dev/null
uid=$(in_own get pod forced --output jsonpath='{.metadata.uid}')
holds_within 60 "a pod is measured" unmeasured
in_own delete pod forced --force --grace-period 0 >/dev/null 2>&1
holds_within 120 "deleted by force, it is listed neither by its name nor by its UID" still_listed
holds "its past is told by its UID" forgotten
