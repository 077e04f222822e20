#!/usr/bin/env bash
# A pod that lives ten seconds.
# shellcheck source=tests/e2e/lib/check.sh
source "$E2E_HERE/lib/check.sh"

ended() { [[ $(in_own get pod short --output jsonpath='{.status.phase}') == Succeeded ]]; }

is_listed() { wrong '.[] | select(.pod_name == "short") | "it is listed, phase \(.phase)"' "$own/pods"; }

# At a tick each 5 s, ten seconds are two samples, the second one with CPU.
untold() {
  wrong 'map(select(.memory_used_bytes != null)) as $measured
    | if ($measured | length) < 2 then "\($measured | length) samples"
      elif ([$measured[].cpu_millicores | numbers] | max // 0) < 20 then "no CPU: \(map(.cpu_millicores))"
      elif (last.ended | not) then "it is not marked as ended"
      else empty end' "$own/pods/short?window=300"
}

apply short.yaml
if ! eventually 240 ended; then
  failed "the pod ended: $(in_own get pod short --no-headers)"
  exit
fi
holds_within 30 "a pod that lived ten seconds is not listed among those that run" is_listed
holds_within 30 "a pod that lived ten seconds is told, with its CPU" untold
in_own delete pod short >/dev/null
sleep 10
holds "it is told still when it is deleted" untold
