# shellcheck shell=bash disable=SC2034,SC2154 # variables are shared between the files of lib
# Programs that scripts use. Needs output.sh and toolchain.sh. To be sourced.

# The Debian package of a command.
package_of() {
  case $1 in
    ip | ss) echo iproute2 ;;
    docker) echo docker.io ;;
    *) echo "$1" ;;
  esac
}

may_install() { [[ $(id -u) == 0 ]] || sudo --non-interactive true 2>/dev/null; }

# need_commands NAME...: installs what is missing where it may, and else says how.
need_commands() {
  local command missing=()
  for command in "$@"; do
    command -v "$command" >/dev/null || missing+=("$command")
  done
  ((${#missing[@]})) || return 0
  if may_install && command -v apt-get >/dev/null; then
    local packages=()
    for command in "${missing[@]}"; do packages+=("$(package_of "$command")"); done
    ensure_packages "${packages[@]}"
  else
    die "missing here: ${missing[*]}; scripts/01-setup-environment.sh installs what is needed"
  fi
}

# Either of the two takes the same options. Sets stress.
find_stress() {
  for stress in stress stress-ng; do
    ! command -v "$stress" >/dev/null || return 0
  done
  stress='stress'
  need_commands "$stress"
}
