#!/usr/bin/env bash
# Installs what building, deploying and testing need, where it is missing.
set -euo pipefail
cd "$(dirname "${BASH_SOURCE[0]}")/.."

# shellcheck source=scripts/lib/all.sh
source scripts/lib/all.sh
# shellcheck source=scripts/lib/downloads.sh
source scripts/lib/downloads.sh

usage() {
  cat <<TEXT
Usage: scripts/01-setup-environment.sh [OPTIONS]

Installs, on Ubuntu 22.04 and 24.04 and Debian 12 and 13, for amd64 and arm64, what is missing of:

  Rust $rust_version (by rustup $rustup_version), a C compiler, git
  Docker, stress, iperf3, jq, curl, busybox, iproute2    from the distribution, which signs its packages
  kubectl $kubectl_version
  minikube $minikube_version, or what --cluster names

What is there is left alone, of whatever version. Programs that are downloaded are checked before they
are installed into /usr/local/bin: kubectl and rustup against checksums in scripts/lib; minikube, kind
and k3s against the checksum file that their publisher has put beside the same release.

It asks for root's rights by sudo where it needs them, and heeds http_proxy, https_proxy and no_proxy.

  --cluster KIND   minikube, kind, k3s or current (none is installed) [default: minikube]
  --no-docker      without Docker: where podman or buildah is there
  --check          say what is missing and install nothing; status 1 if something is
  --help           this text
TEXT
}

cluster=minikube docker=yes check=''
while (($#)); do
  case $1 in
    -h | --help)
      usage
      exit
      ;;
    --no-docker) docker='' ;;
    --check) check=yes ;;
    --cluster)
      need_value "$@"
      cluster=$2
      shift
      ;;
    *) usage_error "unknown option $1" ;;
  esac
  shift
done
[[ $cluster =~ ^(minikube|kind|k3s|current)$ ]] || usage_error "--cluster is minikube, kind, k3s or current"

make_work
PATH=$PATH:${CARGO_HOME:-$HOME/.cargo}/bin

missing_packages=() missing_programs=()
look_for() { # COMMAND PACKAGE
  command -v "$1" >/dev/null || missing_packages+=("$2")
}

look_for cc gcc
look_for git git
look_for curl curl
look_for jq jq
look_for ip iproute2
look_for iperf3 iperf3
look_for busybox busybox-static
command -v stress-ng >/dev/null || look_for stress stress
[[ -e /usr/include/stdio.h ]] || missing_packages+=(libc6-dev)
[[ -d /etc/ssl/certs ]] || missing_packages+=(ca-certificates)
[[ -z $docker ]] || look_for docker docker.io
command -v cargo >/dev/null || missing_programs+=(rust)
command -v kubectl >/dev/null || missing_programs+=(kubectl)
[[ $cluster == current ]] || command -v "$cluster" >/dev/null || missing_programs+=("$cluster")

if [[ -n $check ]]; then
  ((${#missing_packages[@]} + ${#missing_programs[@]} == 0)) ||
    die "missing: ${missing_packages[*]} ${missing_programs[*]}"
  ok "nothing is missing"
  exit
fi

if ((${#missing_packages[@]} + ${#missing_programs[@]})); then
  [[ $(id -u) == 0 ]] || command -v sudo >/dev/null || die "this needs root's rights, and there is no sudo"
fi
if ((${#missing_packages[@]})); then
  command -v apt-get >/dev/null || die "packages are missing, and this is neither Debian nor Ubuntu: ${missing_packages[*]}"
  step "Packages: ${missing_packages[*]}"
  ensure_packages "${missing_packages[@]}" || die "apt-get could not install ${missing_packages[*]}"
fi
for program in "${missing_programs[@]}"; do
  if [[ $program == rust ]]; then
    step "Rust"
    ensure_rust
  else
    install_program "$program"
  fi
done

if [[ -n $docker ]] && ! engine_works docker; then
  step "Docker"
  if command -v systemctl >/dev/null && systemctl is-system-running --quiet 2>/dev/null; then
    as_root systemctl enable --now docker
  else
    as_root service docker start >/dev/null 2>&1 || true
  fi
  if [[ $(id -u) != 0 ]] && ! id -nG "$(id -un)" | grep -qw docker; then
    as_root usermod --append --groups docker "$(id -un)"
    info "$(id -un) is in the group docker now; a shell that was open before needs \`newgrp docker\`"
  fi
  wait_until 15 "Docker" as_root docker info >/dev/null 2>&1 ||
    warn "Docker is installed and does not run here; images can be built with buildah or podman as well"
fi

step "What there is"
for program in cargo docker kubectl "${cluster/current/}" stress stress-ng iperf3 jq; do
  command -v "${program:-none}" >/dev/null || continue
  case $program in
    kubectl) version=$(kubectl version --client 2>/dev/null | head -1) ;;
    minikube | kind) version=$("$program" version 2>/dev/null | head -1) ;;
    *) version=$("$program" --version 2>/dev/null | head -1) ;;
  esac
  printf '%-10s %s\n' "$program" "$version"
done
ok "the environment is set up"
