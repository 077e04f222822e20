# shellcheck shell=bash disable=SC2034,SC2154 # variables are shared between the files of lib
# This machine's architecture, as images and downloads name it. To be sourced.

own_arch() {
  case $(uname -m) in
    x86_64) echo amd64 ;;
    aarch64) echo arm64 ;;
    *) die "there is nothing for $(uname -m), only for x86_64 and aarch64" ;;
  esac
}
