#!/usr/bin/env bash
# From a clean machine to a running, tested kubemonitor: tools, images, cluster, deployment, tests.
set -euo pipefail
cd "$(dirname "${BASH_SOURCE[0]}")/.."

# shellcheck source=scripts/lib/all.sh
source scripts/lib/all.sh
# shellcheck source=scripts/lib/downloads.sh
source scripts/lib/downloads.sh
# shellcheck source=scripts/lib/make_cluster.sh
source scripts/lib/make_cluster.sh

usage() {
  cat <<TEXT
Usage: scripts/00-setup-all.sh [OPTIONS]

Sets up all of kubemonitor on a clean Ubuntu 22.04 or 24.04, or Debian 12 or 13: installs what is missing
(01), starts a cluster, builds the images and loads them (02), deploys (03), and tests (04, 05, 06).
May be repeated: what is there already is used. Takes half an hour the first time, most of it for building.

  --cluster KIND   minikube, kind, k3s: started if it is not there, named $cluster_name;
                   current: the one that kubectl reaches [default: minikube]
  --import COMMAND with current: how to load an image (see scripts/02-build-images.sh)
  --profile NAME   release, or quick to wait less [default: release]
  --skip-env       install nothing
  --skip-build     build no images
  --skip-deploy    deploy nothing
  --skip-test      test nothing
  --help           this text

Behind a proxy, set http_proxy, https_proxy and no_proxy: downloads, Docker's builds and the cluster heed
them. scripts/shutdown_all_settings.sh takes down what this has set up.
TEXT
}

arguments=("$@")
cluster=minikube import='' profile=release skip_env='' skip_build='' skip_deploy='' skip_test=''
while (($#)); do
  case $1 in
    -h | --help)
      usage
      exit
      ;;
    --skip-env) skip_env=yes ;;
    --skip-build) skip_build=yes ;;
    --skip-deploy) skip_deploy=yes ;;
    --skip-test) skip_test=yes ;;
    --cluster | --import | --profile)
      need_value "$@"
      case $1 in
        --cluster) cluster=$2 ;;
        --import) import=$2 ;;
        --profile) profile=$2 ;;
      esac
      shift
      ;;
    *) usage_error "unknown option $1" ;;
  esac
  shift
done
[[ $cluster =~ ^(minikube|kind|k3s|current)$ ]] || usage_error "--cluster is minikube, kind, k3s or current"
[[ $profile =~ ^(release|quick)$ ]] || usage_error "--profile is release or quick"

make_work
export_proxies

# run WHAT SCRIPT OPTION...: a stage; its own last line says what went wrong.
run() {
  local what=$1
  shift
  printf '\n%s#### %s%s\n' "$bold" "$what" "$plain"
  "$@" || die "$what (${1##*/}); what was done before stays, and this can be repeated"
}

if [[ -z $skip_env ]]; then
  run "Environment" scripts/01-setup-environment.sh --cluster "$cluster"
fi
# The group's rights reach processes that are started with them.
if [[ -z ${KUBEMONITOR_IN_GROUP:-} ]] && needs_docker_group; then
  info "going on with the rights of the group docker"
  KUBEMONITOR_IN_GROUP=yes exec sg docker -c "$(printf '%q ' "$0" --skip-env "${arguments[@]}")"
fi

if [[ -z $skip_build || -z $skip_deploy ]]; then
  printf '\n%s#### %s%s\n' "$bold" "Cluster" "$plain"
  make_cluster "$cluster"
fi
loading=()
[[ -z $import ]] || loading=(--import "$import")
[[ -n $skip_build ]] || run "Images" scripts/02-build-images.sh --profile "$profile" "${loading[@]}"
restart=()
[[ -n $skip_build ]] || restart=(--restart)
[[ -n $skip_deploy ]] || run "Deployment" scripts/03-deploy.sh "${restart[@]}"
if [[ -z $skip_test ]]; then
  run "Load tests" scripts/04-test.sh "${loading[@]}"
  if cluster_answers && [[ -n $(monitor_namespace) ]]; then
    open_api
    run "REST interface" scripts/05-test-api.sh --url "$api_url"
    run "Comparison with kubectl" scripts/06-compare-with-kubectl.sh --url "$api_url"
  else
    run "REST interface" scripts/05-test-api.sh --self
  fi
fi
ok "all is set up; scripts/kube-port-forward.sh brings it to http://localhost:8080"
