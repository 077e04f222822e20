#!/usr/bin/env bash
# Compiles one program into a static binary for one architecture. Used by the Dockerfiles and by
# build-images.sh, so that both make the same.
set -euo pipefail

usage() {
  cat <<'TEXT'
Usage: deploy/static-binary.sh PROGRAM ARCH FOLDER [PROFILE]

Compiles PROGRAM (kubemonitor-collector, kubemonitor-api) for ARCH (amd64, arm64) with this machine's
Rust toolchain, checks that it is static, and puts it into FOLDER. PROFILE is one of Cargo.toml's:
release, the default, or quick to wait less.

For another architecture than this machine's it installs, where they are missing, a cross compiler
(Debian, Ubuntu) and Rust's standard library.
TEXT
}

die() {
  printf 'error: %s\n' "$*" >&2
  exit 1
}

if [[ ${1:-} == -h || ${1:-} == --help ]]; then
  usage
  exit
fi
[[ $# == 3 || $# == 4 ]] || die "three or four arguments are needed; see --help"
program=$1 arch=$2 profile=${4:-release}
folder=$(mkdir -p "$3" && cd "$3" && pwd)
case $arch in
  amd64) machine=x86_64 ;;
  arm64) machine=aarch64 ;;
  *) die "cannot build for '$arch', only for amd64 and arm64" ;;
esac
target=$machine-unknown-linux-gnu

cd "$(dirname "${BASH_SOURCE[0]}")/.."
# shellcheck source=scripts/lib/toolchain.sh
source scripts/lib/toolchain.sh
ensure_rust
if [[ $machine != "$(uname -m)" ]]; then
  ensure_packages "gcc-${machine//_/-}-linux-gnu" "libc6-dev-$arch-cross"
  linker=CARGO_TARGET_${target//-/_}_LINKER
  export "${linker^^}=$machine-linux-gnu-gcc"
fi
if command -v rustup >/dev/null; then
  rustup --quiet target add "$target"
fi

# With --target, these flags leave build scripts and procedural macros alone, which must stay dynamic.
RUSTFLAGS='-C target-feature=+crt-static' \
  cargo build --locked --profile "$profile" --target "$target" --package "$program"

binary=${CARGO_TARGET_DIR:-target}/$target/$profile/$program
# What asks for a loader is not static. Unlike ldd, this can tell for every architecture.
headers=$(readelf --program-headers "$binary")
[[ $headers != *INTERP* ]] || die "$binary is not static: it asks for a dynamic loader"
install -m 0755 "$binary" "$folder/$program"
printf 'ok: %s, static, %s bytes\n' "$folder/$program" "$(stat --format %s "$binary")"
