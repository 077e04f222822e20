# shellcheck shell=bash disable=SC2016,SC2034,SC2154 # jq's variables; ours are shared by the files of lib
# Checks that are counted, and the verdict over all of them. Needs output.sh. To be sourced.

passed_checks=0 failed_checks=0 skipped_checks=0

passes() {
  passed_checks=$((passed_checks + 1))
  printf '%sok%s       %s\n' "$green" "$plain" "$*"
}

fails() {
  failed_checks=$((failed_checks + 1))
  printf '%sFAILED%s   %s\n' "$red" "$plain" "$*"
}

skips() {
  skipped_checks=$((skipped_checks + 1))
  printf '%sskipped%s  %s\n' "$yellow" "$plain" "$*"
}

# within PERCENT WHAT UNIT SHOWN DONE [SLACK]: whether what is shown is what was done, give or take
# PERCENT of it, and SLACK where the amount may be next to nothing.
within() {
  local percent=$1 what=$2 unit=$3 shown=$4 truth=$5 slack=${6:-0} verdict
  if ! verdict=$(jq --null-input --raw-output --arg unit "$unit" \
    --argjson shown "${shown:-null}" --argjson truth "${truth:-null}" \
    --argjson percent "$percent" --argjson slack "$slack" '
      def round2: . * 100 | round / 100;
      if ($shown | type) != "number" or ($truth | type) != "number" then
        "no value: shown \($shown), done \($truth)", "bad"
      else
        ($shown - $truth) as $off
        | "shown \($shown | round2) \($unit), done \($truth | round2) \($unit)"
          + (if $truth > 0 then ": \($off / $truth * 100 | round2) % off" else "" end)
          + (if $slack > 0 then " (\($percent) % or \($slack) \($unit) allowed)"
             else " (\($percent) % allowed)" end),
          (if ($off | fabs) <= ([$truth * $percent / 100, $slack] | max) then "good" else "bad" end)
      end'); then
    fails "$what: not numbers: '$shown', '$truth'"
    return
  fi
  if [[ ${verdict##*$'\n'} == good ]]; then
    passes "$what: ${verdict%%$'\n'*}"
  else
    fails "$what: ${verdict%%$'\n'*}"
  fi
}

# verdict WHAT: the last lines of a script that checks.
verdict() {
  printf '\n%s passed, %s failed, %s skipped\n' "$passed_checks" "$failed_checks" "$skipped_checks"
  ((failed_checks == 0)) || die "$1: $failed_checks of $((passed_checks + failed_checks)) checks"
  ((passed_checks > 0)) || die "$1: nothing could be checked"
  ok "$1"
}
