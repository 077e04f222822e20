# shellcheck shell=bash
# One line for each thing that was checked, and the sum at the end. Checks are processes of their own,
# so the count is in a file.

results=$E2E_WORK/results

step() { printf '\n== %s\n' "$*"; }

report() { # RESULT TEXT
  printf '%-9s%s\n' "$1" "$2"
  echo "$1" >>"$results"
}

ok() { report ok "$1"; }
failed() { report FAILED "$1"; }
skipped() { report skipped "$1"; }

# holds WHAT COMMAND...: one check. The command says what is wrong, where something is; it may also end
# with an error.
holds() { holds_within 0 "$@"; }

# holds_within SECONDS WHAT COMMAND...: the same, asked again until it holds.
holds_within() {
  local until=$((SECONDS + $1)) what=$2 wrong
  shift 2
  until wrong=$("$@" 2>&1) && [[ -z $wrong ]]; do
    if ((SECONDS >= until)); then
      failed "$what"
      head -n 20 <<<"$wrong" | sed 's/^/           /'
      return
    fi
    sleep 2
  done
  ok "$what"
}

# eventually SECONDS COMMAND...: whether it succeeds within that time.
eventually() {
  local until=$((SECONDS + $1))
  shift
  until "$@" >/dev/null 2>&1; do
    ((SECONDS < until)) || return 1
    sleep 2
  done
}

count() { grep --count --line-regexp "$1" "$results" || true; }

# summary: the last word; fails where a check did.
summary() {
  printf '\n%s ok, %s failed, %s skipped\n' "$(count ok)" "$(count FAILED)" "$(count skipped)"
  [[ $(count FAILED) == 0 ]]
}
