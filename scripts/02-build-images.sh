#!/usr/bin/env bash
# Builds kubemonitor's images and loads them into the cluster.
set -euo pipefail
cd "$(dirname "${BASH_SOURCE[0]}")/.."

# shellcheck source=scripts/lib/all.sh
source scripts/lib/all.sh

usage() {
  cat <<'TEXT'
Usage: scripts/02-build-images.sh [OPTIONS]

Builds kubemonitor-collector and kubemonitor-api from nothing, with docker, podman or buildah
(deploy/build-images.sh does it), into result/images, and loads them into the cluster that kubectl
reaches. No image is pulled.

  --engine NAME    docker, podman or buildah [default: the first that works here]
  --tag TAG        the images' tag [default: latest]
  --profile NAME   release, or quick to wait less [default: release]
  --load KIND      minikube, kind, k3s, or none [default: what the cluster is; none without a cluster]
  --import COMMAND load each image so instead: COMMAND gets its archive on standard input, such as
                   'ctr -n k8s.io images import -'
  --help           this text
TEXT
}

engine='' tag=latest profile=release load='' import=''
while (($#)); do
  case $1 in
    -h | --help)
      usage
      exit
      ;;
    --engine | --tag | --profile | --load | --import)
      need_value "$@"
      case $1 in
        --engine) engine=$2 ;;
        --tag) tag=$2 ;;
        --profile) profile=$2 ;;
        --load) load=$2 ;;
        --import) import=$2 ;;
      esac
      shift
      ;;
    *) usage_error "unknown option $1" ;;
  esac
  shift
done
[[ -z $engine || $engine =~ ^(docker|podman|buildah)$ ]] || usage_error "--engine is docker, podman or buildah"
[[ -z $load || $load =~ ^(minikube|kind|k3s|none)$ ]] || usage_error "--load is minikube, kind, k3s or none"
[[ $profile =~ ^(release|quick)$ ]] || usage_error "--profile is release or quick"

make_work
engine=${engine:-$(first_engine)}
engine_works "$engine" || die "$engine does not work here: see \`$engine info\`"
can_mount "$engine" || export STORAGE_DRIVER=vfs BUILDAH_ISOLATION=chroot
arch=$(own_arch)

deploy/build-images.sh --engine "$engine" --tag "$tag" --profile "$profile" --arch "$arch" ||
  die "the images were not built"
archives=("result/images/kubemonitor-collector-$arch.tar" "result/images/kubemonitor-api-$arch.tar")

if [[ -z $load$import ]]; then
  if command -v kubectl >/dev/null && cluster_answers; then load=$(cluster_kind); else load=none; fi
fi
where="loaded into no cluster"
if [[ -n $import ]]; then
  step "Loading by: $import"
  for archive in "${archives[@]}"; do bash -c "$import" <"$archive" || die "$archive was not loaded"; done
  where="loaded"
elif [[ $load == other ]]; then
  die "the images are in result/images, and this cluster is neither minikube, kind nor k3s: load them with --import, or push them to a registry that it pulls from (--load none to do without)"
elif [[ $load != none ]]; then
  step "Loading into $load"
  for archive in "${archives[@]}"; do
    during "$archive" load_image "$archive" "$load" || die "$archive was not loaded into $load"
  done
  where="loaded into $load"
fi
ok "images kubemonitor-collector:$tag and kubemonitor-api:$tag, built with $engine, $where"
