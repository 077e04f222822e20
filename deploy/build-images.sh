#!/usr/bin/env bash
# Builds both images without any base image: the programs with this machine's Rust toolchain, the
# images around them from nothing.
set -euo pipefail

usage() {
  cat <<'TEXT'
Usage: deploy/build-images.sh [OPTIONS]

Builds kubemonitor-collector and kubemonitor-api as static binaries with this machine's Rust toolchain,
packs each into an image FROM scratch with buildah, podman or docker (the last stage of the
Dockerfiles beside this script), and writes result/images/IMAGE-ARCH.tar, for `docker load`,
`minikube image load`, `kind load image-archive` or `ctr -n k8s.io images import`.

  --arch LIST      amd64, arm64 or amd64,arm64 [default: this machine's]
  --engine NAME    buildah, podman or docker [default: the first of them that works here]
  --tag TAG        the images' tag [default: latest]
  --profile NAME   a profile of Cargo.toml: release, or quick to wait less [default: release]
  --help           this text

Where containers cannot be nested, buildah may need STORAGE_DRIVER=vfs.
TEXT
}

images=(collector api)
max_bytes=25000000

step() { printf '\n== %s\n' "$*"; }

die() {
  printf 'error: %s\n' "$*" >&2
  exit 1
}

works() {
  command -v "$1" >/dev/null && "$1" info >/dev/null 2>&1
}

first_engine() {
  local engine
  for engine in buildah podman docker; do
    if works "$engine"; then
      echo "$engine"
      return
    fi
  done
  die "neither buildah, podman nor docker works here; on Debian or Ubuntu: apt-get install buildah"
}

own_arch() {
  case $(uname -m) in
    x86_64) echo amd64 ;;
    aarch64) echo arm64 ;;
    *) die "there are no images for $(uname -m)" ;;
  esac
}

# pack NAME ARCH TAR: the image around a binary that is there, as a docker-archive.
pack() {
  local reference=kubemonitor-$1:$tag
  local options=(
    --file "deploy/Dockerfile.$1" --platform "linux/$2" --tag "$reference"
    --build-arg BINARY=prebuilt --build-arg "VERSION=$version" --build-arg "CREATED=$created"
  )
  rm -f "$3"
  case $engine in
    buildah)
      buildah build --quiet --timestamp "$epoch" "${options[@]}" .
      buildah push --quiet "$reference" "docker-archive:$3:$reference"
      ;;
    podman)
      podman build --quiet --timestamp "$epoch" "${options[@]}" .
      podman save --quiet --format docker-archive --output "$3" "$reference"
      ;;
    docker)
      SOURCE_DATE_EPOCH=$epoch docker build --quiet --provenance=false "${options[@]}" .
      docker save --output "$3" "$reference"
      ;;
  esac
}

arches='' engine='' tag=latest profile=release
while (($#)); do
  case $1 in
    -h | --help)
      usage
      exit
      ;;
    --arch | --engine | --tag | --profile) [[ -n ${2:-} ]] || die "$1 needs a value; see --help" ;;&
    --arch) arches=$2 ;;
    --engine) engine=$2 ;;
    --tag) tag=$2 ;;
    --profile) profile=$2 ;;
    *) die "unknown option $1; see --help" ;;
  esac
  shift 2
done
arches=${arches:-$(own_arch)}
engine=${engine:-$(first_engine)}
works "$engine" || die "$engine does not work here: see \`$engine info\`"

cd "$(dirname "${BASH_SOURCE[0]}")/.."
version=$(sed -n '/^\[workspace.package\]/,/^$/s/^version = "\(.*\)"$/\1/p' Cargo.toml)
# The same commit makes the same image, whenever it is built.
epoch=$(git log -1 --format=%ct 2>/dev/null || date +%s)
created=$(date --utc --date "@$epoch" +%FT%TZ)
mkdir -p result/images

report=()
for arch in ${arches//,/ }; do
  for image in "${images[@]}"; do
    step "kubemonitor-$image for $arch: compiling"
    deploy/static-binary.sh "kubemonitor-$image" "$arch" "result/bin/$arch" "$profile"
    step "kubemonitor-$image for $arch: packing with $engine"
    archive=result/images/kubemonitor-$image-$arch.tar
    pack "$image" "$arch" "$archive"
    bytes=$(stat --format %s "$archive")
    # Other profiles are for trying: they keep symbols, and are optimised file by file.
    [[ $profile != release ]] || ((bytes <= max_bytes)) ||
      die "$archive has $bytes bytes; more than $max_bytes is too large"
    report+=("$archive $(numfmt --to=si --round=nearest --format %.1f "$bytes")B")
  done
done

step "images"
printf '%s\n' "${report[@]}"
printf 'ok: %s images of kubemonitor %s, tagged %s\n' "${#report[@]}" "$version" "$tag"
