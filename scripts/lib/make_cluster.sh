# shellcheck shell=bash disable=SC2034,SC2154 # variables are shared between the files of lib
# Starts a cluster to try kubemonitor in. Needs output.sh, cluster.sh, downloads.sh, toolchain.sh. To be
# sourced.

# Both spellings, since programs differ in which they read; and no proxy to the cluster itself.
export_proxies() {
  export http_proxy=${http_proxy:-${HTTP_PROXY:-}} https_proxy=${https_proxy:-${HTTPS_PROXY:-}}
  if [[ -z $http_proxy$https_proxy ]]; then
    unset http_proxy https_proxy
    return
  fi
  no_proxy=${no_proxy:-${NO_PROXY:-}}
  # localhost, minikube's and kind's nodes, Services, pods.
  no_proxy+=${no_proxy:+,}localhost,127.0.0.1,::1,192.168.49.0/24,172.18.0.0/16,10.96.0.0/12,10.244.0.0/16,.svc,.cluster.local
  export no_proxy HTTP_PROXY=$http_proxy HTTPS_PROXY=$https_proxy NO_PROXY=$no_proxy
}

# Whether docker runs here, and this user is in its group, and this process was started before that.
needs_docker_group() {
  [[ $(id -u) != 0 ]] && command -v docker >/dev/null && command -v sg >/dev/null || return 1
  ! docker info >/dev/null 2>&1 || return 1
  ! id -nG | grep -qw docker || return 1
  id -nG "$(id -un)" | grep -qw docker
}

# make_cluster KIND: makes kubectl reach it.
make_cluster() {
  case $1 in
    current) need_cluster ;;
    minikube) start_minikube ;;
    kind) start_kind ;;
    k3s) start_k3s ;;
  esac
  wait_until 180 "the cluster's nodes to be ready" nodes_are_ready || die "the cluster's nodes are not ready"
  info "kubectl reaches $(kubectl config current-context 2>/dev/null || true): $(kube get nodes --output name | wc -l) nodes"
}

nodes_are_ready() {
  kube get nodes --output json 2>/dev/null | jq --exit-status '
    (.items | length > 0) and all(.items[]; any(.status.conditions[]; .type == "Ready" and .status == "True"))' >/dev/null
}

start_minikube() {
  local options=(--profile "$cluster_name" --driver docker --kubernetes-version "$kubernetes_version")
  # minikube's own precaution: its driver docker gives root no more than it has.
  [[ $(id -u) != 0 ]] || options+=(--force)
  local name
  for name in HTTP_PROXY HTTPS_PROXY NO_PROXY; do
    [[ -z ${!name:-} ]] || options+=(--docker-env "$name=${!name}")
  done
  minikube start "${options[@]}" || die "minikube does not start; \`minikube logs --profile $cluster_name\` says more"
  minikube --profile "$cluster_name" update-context >/dev/null 2>&1 || true
  kubectl config use-context "$cluster_name" >/dev/null
}

start_kind() {
  if ! kind get clusters 2>/dev/null | grep -qx "$cluster_name"; then
    kind create cluster --name "$cluster_name" --wait 180s || die "kind does not start a cluster"
  fi
  kind export kubeconfig --name "$cluster_name" >/dev/null 2>&1
  kubectl config use-context "kind-$cluster_name" >/dev/null
}

# As a service of its own, until the machine is started anew.
start_k3s() {
  if ! [[ -r /etc/rancher/k3s/k3s.yaml ]]; then
    as_root systemd-run --unit kubemonitor-k3s --property Delegate=yes \
      k3s server --write-kubeconfig-mode 644 --disable traefik >/dev/null || die "k3s does not start"
    wait_until 120 "k3s" test -r /etc/rancher/k3s/k3s.yaml || die "k3s does not start: journalctl -u kubemonitor-k3s"
  fi
  export KUBECONFIG=/etc/rancher/k3s/k3s.yaml
}

# What k3s has started outlives it.
stop_k3s() {
  as_root systemctl stop kubemonitor-k3s
  local pid
  while read -r pid; do
    as_root kill -9 "$pid" 2>/dev/null || true
  done < <(find /sys/fs/cgroup -path '*kubepods*' -name cgroup.procs -exec cat {} + 2>/dev/null)
  as_root rm -f /etc/rancher/k3s/k3s.yaml
}
