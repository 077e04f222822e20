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

# A toolchain that is there is used; rustup brings one where there is none.
ensure_rust() {
  local cargo_bin="${CARGO_HOME:-$HOME/.cargo}/bin"
  [[ -d $cargo_bin ]] && PATH="$cargo_bin:$PATH"
  command -v cc >/dev/null || ensure_packages gcc libc6-dev
  if ! command -v cargo >/dev/null; then
    ensure_packages curl ca-certificates
    echo "installing the Rust toolchain with rustup"
    curl --proto '=https' --tlsv1.2 -fsS https://sh.rustup.rs | sh -s -- -y --profile minimal --component clippy,rustfmt
    PATH="$cargo_bin:$PATH"
  fi
  export PATH
}

ensure_nextest() {
  command -v cargo-nextest >/dev/null && return
  echo "installing cargo-nextest"
  cargo install --locked cargo-nextest
}
