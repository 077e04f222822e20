# shellcheck shell=bash
# What building and testing needs. To be sourced; installs only what is missing.

as_root() {
  if [[ $(id -u) == 0 ]]; then "$@"; else sudo "$@"; fi
}

# ensure_packages NAME...: Debian packages, by the name of the package.
ensure_packages() {
  local missing=()
  local package
  for package in "$@"; do
    dpkg-query --show --showformat='${Status}' "$package" 2>/dev/null | grep -q 'ok installed' ||
      command -v "${package/nodejs/node}" >/dev/null || missing+=("$package")
  done
  [[ ${#missing[@]} == 0 ]] && return
  echo "installing ${missing[*]}"
  as_root apt-get update -qq
  as_root env DEBIAN_FRONTEND=noninteractive apt-get install -y -qq --no-install-recommends "${missing[@]}" >/dev/null
}

rustup_version=1.28.2
rust_version=1.95.0

# A toolchain that is there is used; rustup brings one where there is none. rustup's checksum is here,
# and it checks those of what it brings.
ensure_rust() {
  local cargo_bin="${CARGO_HOME:-$HOME/.cargo}/bin"
  [[ -d $cargo_bin ]] && PATH="$cargo_bin:$PATH"
  command -v cc >/dev/null || ensure_packages gcc libc6-dev
  if ! command -v cargo >/dev/null; then
    ensure_packages curl ca-certificates
    local target=x86_64-unknown-linux-gnu file
    local sum=20a06e644b0d9bd2fbdbfd52d42540bdde820ea7df86e92e533c073da0cdd43c
    if [[ $(uname -m) == aarch64 ]]; then
      target=aarch64-unknown-linux-gnu sum=e3853c5a252fca15252d07cb23a1bdd9377a8c6f3efa01531109281ae47f841c
    fi
    echo "installing Rust $rust_version with rustup $rustup_version"
    file=$(mktemp)
    if ! curl --proto '=https' --tlsv1.2 -fsS --output "$file" \
      "https://static.rust-lang.org/rustup/archive/$rustup_version/$target/rustup-init" ||
      ! sha256sum --check --status <<<"$sum  $file"; then
      rm -f "$file"
      echo "FAILED: rustup-init could not be had, or its checksum is not $sum" >&2
      return 1
    fi
    chmod +x "$file"
    "$file" -y --profile minimal --component clippy,rustfmt --default-toolchain "$rust_version"
    rm -f "$file"
    PATH="$cargo_bin:$PATH"
  fi
  export PATH
}

ensure_nextest() {
  command -v cargo-nextest >/dev/null && return
  echo "installing cargo-nextest"
  cargo install --locked cargo-nextest
}
