# shellcheck shell=bash disable=SC2034,SC2154 # variables are shared between the files of lib
# Leaves nothing behind, however a script ends: what at_exit was given runs last first, after success,
# failure, Ctrl-C and SIGTERM. Needs output.sh. To be sourced.

declare -a exit_actions=()
said_failed=''

# at_exit COMMAND ARGUMENT...
at_exit() { exit_actions+=("$(printf '%q ' "$@")"); }

end_script() {
  local status=$1 action
  trap '' INT TERM HUP
  trap - EXIT
  set +e
  while ((${#exit_actions[@]})); do
    action=${exit_actions[-1]}
    unset 'exit_actions[-1]'
    eval "$action" # printf %q quoted it
  done
  case $status in
    0) ;;
    130 | 143 | 129) failed "interrupted" ;;
    *) [[ -n $said_failed ]] || failed "$(basename "$0") ended early, with status $status" ;;
  esac
  exit "$status"
}

trap 'end_script $?' EXIT
trap 'exit 130' INT
trap 'exit 143' TERM
trap 'exit 129' HUP

# make_work: a folder for what is only needed meanwhile, in $work.
make_work() {
  work=$(mktemp -d "${TMPDIR:-/tmp}/kubemonitor.XXXXXX")
  at_exit rm -rf "$work"
}

# end_process PID: politely, then not; waits until it is gone.
end_process() {
  local turn
  kill "$1" 2>/dev/null || return 0
  for turn in {1..50}; do
    kill -0 "$1" 2>/dev/null || break
    [[ $turn != 40 ]] || kill -9 "$1" 2>/dev/null
    sleep 0.1
  done
  wait "$1" 2>/dev/null || true
}
