# shellcheck shell=bash disable=SC2034,SC2154 # variables are shared between the files of lib
# Container images: with what they are built here. Needs output.sh. To be sourced.

engine_works() { command -v "$1" >/dev/null && "$1" info >/dev/null 2>&1; }

# Which of the three works here.
first_engine() {
  local engine
  for engine in docker podman buildah; do
    if engine_works "$engine"; then
      echo "$engine"
      return
    fi
  done
  die "neither docker, podman nor buildah works here; scripts/01-setup-environment.sh installs docker"
}

# can_mount ENGINE: buildah inside a container often cannot mount its layers, and then copies them.
can_mount() {
  local container
  [[ $1 == buildah ]] || return 0
  container=$(buildah from scratch 2>/dev/null) || return 1
  local status=0
  buildah mount "$container" >/dev/null 2>&1 || status=1
  buildah rm "$container" >/dev/null 2>&1 || true
  return "$status"
}

# pack_image ENGINE FOLDER DOCKERFILE REFERENCE ARCHIVE: as a docker-archive.
pack_image() {
  case $1 in
    docker) docker build --file "$3" --tag "$4" "$2" && docker save --output "$5" "$4" ;;
    podman) podman build --file "$3" --tag "$4" "$2" && podman save --format docker-archive --output "$5" "$4" ;;
    buildah)
      STORAGE_DRIVER=${STORAGE_DRIVER:-vfs} BUILDAH_ISOLATION=${BUILDAH_ISOLATION:-chroot} \
        buildah build --file "$3" --tag "$4" "$2" &&
        STORAGE_DRIVER=${STORAGE_DRIVER:-vfs} buildah push "$4" "docker-archive:$5:docker.io/library/$4"
      ;;
  esac
}

# remove_image ENGINE REFERENCE: from what was built here; not from clusters.
remove_image() {
  if [[ $1 == buildah ]]; then
    STORAGE_DRIVER=${STORAGE_DRIVER:-vfs} buildah rmi "$2" >/dev/null 2>&1
  else
    "$1" rmi "$2" >/dev/null 2>&1
  fi
}
