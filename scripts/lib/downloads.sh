# shellcheck shell=bash disable=SC2034,SC2154 # variables are shared between the files of lib
# Programs that no Debian package brings: which version, from where, and its checksum. Needs output.sh,
# cleanup.sh, arch.sh, toolchain.sh. To be sourced.
#
# What has a checksum here is refused when it is another. For the rest the publisher's checksum file of
# the same release is fetched and held against the download: that finds what was cut short or spoilt on
# the way, and not a publisher that was broken into. To pin one, put its sum into `pinned`.

kubectl_version=v1.33.7
minikube_version=v1.38.1
kind_version=v0.32.0
k3s_version=v1.33.5+k3s1
# The cluster's own version, within one of kubectl's.
kubernetes_version=v1.33.7

declare -A pinned=(
  ["kubectl amd64"]=471d94e208a89be62eb776700fc8206cbef11116a8de2dc06fc0086b0015375b
  ["kubectl arm64"]=fa7ee98fdb6fba92ae05b5e0cde0abd5972b2d9a4a084f7052a1fd0dce6bc1de
)

github=https://github.com

# address_of NAME ARCH: where the program is, and where its publisher's checksum, if need be.
address_of() {
  case $1 in
    kubectl) echo "https://dl.k8s.io/release/$kubectl_version/bin/linux/$2/kubectl" '' ;;
    minikube)
      local minikube=$github/kubernetes/minikube/releases/download/$minikube_version/minikube-linux-$2
      echo "$minikube" "$minikube.sha256"
      ;;
    kind)
      local kind=$github/kubernetes-sigs/kind/releases/download/$kind_version/kind-linux-$2
      echo "$kind" "$kind.sha256sum"
      ;;
    k3s)
      local release=$github/k3s-io/k3s/releases/download/${k3s_version/+/%2B} file=k3s
      [[ $2 == amd64 ]] || file=k3s-$2
      echo "$release/$file" "$release/sha256sum-$2.txt"
      ;;
  esac
}

# install_program NAME: into /usr/local/bin, checked.
install_program() {
  local name=$1 arch address sums sum
  arch=$(own_arch)
  read -r address sums < <(address_of "$name" "$arch")
  step "$name from $address"
  fetch "$address" "$work/$name"
  sum=${pinned["$name $arch"]:-}
  if [[ -n $sum ]]; then
    info "its checksum is the one in scripts/lib/downloads.sh"
  else
    fetch "$sums" "$work/$name.sum"
    sum=$(published_sum "$work/$name.sum" "$(basename "$address")")
    [[ $sum =~ ^[0-9a-f]{64}$ ]] || die "$sums has no checksum for $name"
    info "its checksum is the one its publisher has put beside it"
  fi
  sha256sum --check --status <<<"$sum  $work/$name" ||
    die "$name: the checksum is $(sha256sum "$work/$name" | cut -d' ' -f1), not $sum; nothing was installed"
  as_root install -m 0755 "$work/$name" "/usr/local/bin/$name"
}

# published_sum FILE NAME: from a file with a sum alone, or with lines of a sum and a name.
published_sum() {
  awk -v name="$2" 'NF == 1 {print $1; exit} $2 == name || $2 == "*" name {print $1; exit}' "$1"
}

fetch() {
  local options=(--fail --location --proto '=https' --tlsv1.2 --retry 3 --connect-timeout 20)
  if [[ -t 2 ]]; then options+=(--progress-bar); else options+=(--silent --show-error); fi
  curl "${options[@]}" --output "$2" "$1" || die "cannot download $1; behind a proxy, set https_proxy"
}
