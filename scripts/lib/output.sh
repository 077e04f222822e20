# shellcheck shell=bash disable=SC2034,SC2154 # variables are shared between the files of lib
# What a script says: steps, progress, and one last line that tells how it went. To be sourced.

bold='' green='' red='' yellow='' plain=''
if [[ -t 1 && -z ${NO_COLOR:-} && ${TERM:-dumb} != dumb ]]; then
  bold=$'\e[1m' green=$'\e[32m' red=$'\e[31m' yellow=$'\e[33m' plain=$'\e[0m'
fi

# Standard error as it was: a trap may run while a command's own is a file.
exec {messages}>&2

step() { printf '\n%s== %s%s\n' "$bold" "$*" "$plain"; }

info() { printf '%s\n' "$*"; }

warn() { printf '%swarning:%s %s\n' "$yellow" "$plain" "$*" >&2; }

# The last line of a script that did what it is for.
ok() { printf '%sok:%s %s\n' "$green" "$plain" "$*"; }

# The last line of one that did not.
failed() {
  said_failed=yes
  printf '%sFAILED:%s %s\n' "$red" "$plain" "$*" >&"$messages"
}

die() {
  failed "$*"
  exit 1
}

# What was typed cannot be meant.
usage_error() {
  said_failed=yes
  printf '%serror:%s %s; see --help\n' "$red" "$plain" "$*" >&2
  exit 2
}

# need_value OPTION VALUE...: to be given "$@" while options are read.
need_value() { [[ $# -ge 2 && -n $2 ]] || usage_error "$1 needs a value"; }

# wait_until SECONDS WHAT COMMAND...: asks until the command succeeds. Shows on a terminal how long it
# has been; elsewhere says so every ten seconds.
wait_until() {
  local limit=$1 what=$2 start=$SECONDS said=0 status=0
  shift 2
  until "$@"; do
    local waited=$((SECONDS - start))
    if ((waited >= limit)); then
      status=1
      break
    fi
    if [[ -t 1 ]]; then
      printf '\r\e[Kwaiting for %s: %s s of at most %s' "$what" "$waited" "$limit"
    elif ((waited / 10 > said)); then
      said=$((waited / 10))
      printf 'waiting for %s: %s s of at most %s\n' "$what" "$waited" "$limit"
    fi
    sleep 0.2
  done
  [[ ! -t 1 ]] || printf '\r\e[K'
  return "$status"
}

# during WHAT COMMAND...: runs a command that is silent and long; on a terminal, with the time it takes.
during() {
  local what=$1 start=$SECONDS status=0
  shift
  printf '%s …' "$what"
  [[ -t 1 ]] || printf '\n'
  if [[ -t 1 ]]; then
    "$@" &
    local pid=$!
    while kill -0 "$pid" 2>/dev/null; do
      printf '\r\e[K%s … %s s' "$what" "$((SECONDS - start))"
      sleep 0.5
    done
    wait "$pid" || status=$?
    printf '\r\e[K%s: %s s\n' "$what" "$((SECONDS - start))"
  else
    "$@" || status=$?
  fi
  return "$status"
}
