#!/usr/bin/env bash
# Checks the manifests and the chart: that they keep what README.md promises, fit the programs, and agree
# with one another.
set -euo pipefail

usage() {
  cat <<'TEXT'
Usage: deploy/test.sh

Checks monitor.yaml, metrics-api.yaml, kustomization.yaml and the Helm chart. Needs jq and kubectl, no
cluster. With more at hand it checks more, and says what it skipped:

  helm (or HELM=/path/to/helm)  lints the chart and compares it with the manifests
  KUBECONFIG                    asks that cluster to accept everything, without changing it
TEXT
}

if [[ ${1:-} == -h || ${1:-} == --help ]]; then
  usage
  exit
fi

cd "$(dirname "${BASH_SOURCE[0]}")"
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
failures=0 skipped=()
helm=${HELM:-helm}
other_namespace=kube-system # in every cluster, and never the current one by default

ok() { printf 'ok       %s\n' "$1"; }

failed() {
  printf 'FAILED   %s\n' "$1" >&2
  failures=$((failures + 1))
}

skip() {
  printf 'skipped  %s\n' "$1"
  skipped+=("$1")
}

# check WHAT COMMAND...: one check; what the command prints shows only if it fails.
check() {
  local what=$1
  shift
  if "$@" >"$work/output" 2>&1; then
    ok "$what"
  else
    failed "$what"
    sed 's/^/         /' "$work/output" >&2
  fi
}

# json FILE: a manifest's objects as one JSON array. `annotate --local` takes away what is not there.
json() {
  kubectl annotate --local --filename "$1" --output json kubemonitor/none- 2>"$work/errors" | jq --slurp . ||
    { cat "$work/errors" >&2 && return 1; }
}

# holds WHAT FILE FILTER: the filter must list nothing; what it lists is wrong.
holds() {
  local wrong
  wrong=$(jq --raw-output "$3" "$2")
  check "$1" test -z "$wrong" || true
  [[ -z $wrong ]] || printf '         %s\n' "${wrong//$'\n'/$'\n'         }" >&2
}

pods='def pods: .[] | select(.spec.template) | {name: .metadata.name} + .spec.template;'

keeps_promises() { # NAME FILE
  holds "$1: no container has any privilege" "$2" "$pods"'
    pods | .name as $pod | .spec.securityContext as $of_pod | .spec.containers[] | select((
      $of_pod.runAsNonRoot and $of_pod.runAsUser > 0 and $of_pod.seccompProfile.type == "RuntimeDefault"
      and .securityContext == {
        allowPrivilegeEscalation: false, readOnlyRootFilesystem: true, capabilities: {drop: ["ALL"]}
      }) | not) | "\($pod)/\(.name)"'
  holds "$1: host folders are mounted read-only" "$2" "$pods"'
    pods | [.spec.volumes[]? | select(.hostPath).name] as $host | .spec.containers[].volumeMounts[]?
    | select((.name | IN($host[])) and .readOnly != true) | .name'
  holds "$1: only collectors see host processes, and nothing shares the host network" "$2" "$pods"'
    pods | select(.spec.hostNetwork or .spec.hostIPC or (.spec.hostPID and .name != "resource-collector"))
    | .name'
  holds "$1: collectors have no rights, and no token but one for the API server" "$2" "$pods"'
    (pods | select(.name == "resource-collector" and .spec.automountServiceAccountToken != false).name),
    (pods | select(.name == "resource-collector").spec.volumes[].projected?.sources[]?
      | select(.serviceAccountToken.audience != "kubemonitor") | tostring),
    (.[] | .metadata.name as $binding | .subjects[]? | select(.name != "monitor-api")
      | "\($binding) binds \(.name)")'
  holds "$1: collectors show who they are" "$2" "$pods"'
    pods | select(.name == "resource-collector").spec | .containers[0] as $container
    | [$container.env[] | select(.name == "API_TOKEN_FILE").value] as $file
    | [.volumes[] | .name as $name | .projected?.sources[]?.serviceAccountToken // empty
        | .path as $path | $container.volumeMounts[] | select(.name == $name) | "\(.mountPath)/\($path)"]
    | select(. != $file or length != 1) | tostring'
  holds "$1: the API server may ask whose a token is" "$2" '
    [.[] | select(.kind == "ClusterRole" and .metadata.name == "kubemonitor-api").rules[]
      | select(.apiGroups == ["authentication.k8s.io"] and .resources == ["tokenreviews"] and .verbs == ["create"])]
    | select(length != 1) | "\(length) rules for token reviews"'
  holds "$1: besides, it may only list and watch, and what metrics-api.yaml adds" "$2" '
    .[] | select(.kind == "ClusterRole" and .metadata.labels["app.kubernetes.io/component"] == "api").rules[]
    | select(.resources != ["tokenreviews"])
    | select(.verbs != ["list", "watch"] or (.resources | contains(["secrets"]))) | tostring'
  holds "$1: every container has requests and limits" "$2" "$pods"'
    pods | .spec.containers[].resources | select([.requests, .limits | .cpu, .memory] | all | not)'
  holds "$1: every selector finds a pod" "$2" "$pods"'
    [pods.metadata.labels] as $labels
    | .[] | (.spec.selector?.matchLabels // .spec.podSelector?.matchLabels // .spec.selector?) as $selector
    | select($selector and ($labels | any(contains($selector)) | not)) | "\(.kind) \(.metadata.name)"'
  holds "$1: every port that is named is there" "$2" "$pods"'
    [pods.spec.containers[].ports[]?.name] as $ports
    | (.[] | select(.kind == "Service").spec.ports[].targetPort),
      (pods.spec.containers[] | .startupProbe, .readinessProbe, .livenessProbe | .httpGet?.port // empty)
    | select(IN($ports[]) | not)'
  local program name
  for program in collector api; do
    for name in $(jq --raw-output --arg name "$program" "$pods"'
        pods.spec.containers[] | select(.name == $name).env[].name' "$2"); do
      check "$1: the $program knows $name" grep --recursive --quiet "env = \"$name\"" "../$program/src"
    done
  done
}

users_agree() { # Dockerfile's user is the manifest's
  local program in_image in_manifest
  for program in collector api; do
    in_image=$(sed -n 's/^USER //p' "Dockerfile.$program")
    in_manifest=$(jq --raw-output --arg name "$program" "$pods"'
      pods | select(.spec.containers[0].name == $name).spec.securityContext
      | "\(.runAsUser):\(.runAsGroup)"' "$work/monitor.json")
    check "Dockerfile.$program and monitor.yaml name the same user" test "$in_image" = "$in_manifest"
  done
}

everything_in() { # WHAT NAMESPACE FILE: no object or reference points into another namespace
  holds "$1: all is in $2" "$3" '
    .[] | .kind as $kind
    | (.metadata.namespace, .subjects[]?.namespace, .spec.service?.namespace?)
    | select(. and . != "'"$2"'") | "\($kind): \(.)"'
}

kustomized() { # an overlay of one's own, with all of deploy/, another namespace and another image
  mkdir "$work/overlay"
  cat >"$work/overlay/kustomization.yaml" <<YAML
namespace: $other_namespace
resources: [all]
images: [{name: kubemonitor-api, newName: example/api, newTag: v1}]
YAML
  mkdir "$work/overlay/all"
  cp ./*.yaml "$work/overlay/all"
  sed -i 's/# - metrics-api.yaml/- metrics-api.yaml/' "$work/overlay/all/kustomization.yaml"
  kubectl kustomize "$work/overlay" >"$work/kustomized.yaml"
  json "$work/kustomized.yaml" >"$work/kustomized.json"
  everything_in kustomize "$other_namespace" "$work/kustomized.json"
  holds "kustomize: metrics-api.yaml and another image can be chosen" "$work/kustomized.json" "$pods"'
    (if any(.kind == "APIService") then empty else "no APIService" end),
    (pods.spec.containers[] | select(.name == "api" and .image != "example/api:v1").image)'
}

by_sed() { # the recipe in the comments of both manifests
  local file
  for file in monitor metrics-api; do
    sed "s/namespace: default/namespace: $other_namespace/" "$file.yaml" >"$work/$file-by-sed.yaml"
    json "$work/$file-by-sed.yaml" >"$work/by-sed.json"
    everything_in "$file.yaml by sed" "$other_namespace" "$work/by-sed.json"
  done
}

rendered() { # NAME OPTIONS...: the chart, as YAML and as JSON
  local name=$1
  shift
  "$helm" template kubemonitor helm/kubemonitor "$@" >"$work/$name.yaml"
  json "$work/$name.yaml" >"$work/$name.json"
}

# What it comes to: without namespaces, and without the labels that only Helm has.
substance() {
  jq --sort-keys '
    map(del(.metadata.namespace, .subjects[]?.namespace, .spec.service?.namespace?)
      | del(.metadata.labels["app.kubernetes.io/instance", "app.kubernetes.io/version",
          "app.kubernetes.io/managed-by", "helm.sh/chart"])
      | del(.metadata.annotations | select(. == {})))
    | sort_by(.kind, .metadata.name)' "$@"
}

refuses() { # SETTING: the chart does not take it
  if "$helm" template kubemonitor helm/kubemonitor --set "$1" >/dev/null 2>&1; then return 1; fi
}

the_chart() {
  check "chart: lint" "$helm" lint --strict --quiet helm/kubemonitor
  check "chart: appVersion is the version in Cargo.toml" grep --quiet --line-regexp \
    "version = \"$(sed -n 's/^appVersion: //p' helm/kubemonitor/Chart.yaml)\"" ../Cargo.toml

  rendered plain --namespace "$other_namespace"
  everything_in chart "$other_namespace" "$work/plain.json"
  substance "$work/monitor.json" >"$work/of-manifest"
  substance "$work/plain.json" >"$work/of-chart"
  check "chart: without values it is monitor.yaml" diff "$work/of-manifest" "$work/of-chart"

  rendered metrics --namespace "$other_namespace" --set metricsApi.enabled=true
  substance <(jq --slurp add "$work/monitor.json" "$work/metrics-api.json") >"$work/of-manifest"
  substance "$work/metrics.json" >"$work/of-chart"
  check "chart: metricsApi.enabled adds metrics-api.yaml" diff "$work/of-manifest" "$work/of-chart"

  cat >"$work/values.yaml" <<'YAML'
imagePullPolicy: Always
imagePullSecrets: [{name: registry}]
collector:
  image: {repository: example/collector, tag: v1}
  interval: 500ms
  priorityClassName: system-node-critical
  podAnnotations: {a: b}
  podSecurityContext: {supplementalGroups: [7]}
  extraArgs: [--debug]
  serviceAccount: {name: measurer}
api:
  retention: 6h
  tolerations: [{operator: Exists}]
  podLabels: {c: d}
  serviceAccount: {create: false, name: mine}
  basePath: /monitoring
  nodePort: {enabled: false}
  persistence: {enabled: true, size: 20Gi, storageClass: fast}
push: {open: true, serviceAccounts: [shop/pusher, own], token: {enabled: true, value: secret}}
metricsApi: {enabled: true, tls: {existingSecret: cert, caBundle: QUJD}}
networkPolicy: {enabled: false}
YAML
  rendered full --namespace "$other_namespace" --values "$work/values.yaml"
  # The account is one's own here, so the binding names another.
  jq '(.[].subjects[]? | select(.name == "mine").name) = "monitor-api"' "$work/full.json" >"$work/full-own.json"
  keeps_promises "chart with all values" "$work/full-own.json"
  holds "chart: values take effect" "$work/full.json" '
    def of($kind; $name): map(select(.kind == $kind and .metadata.name == $name)) | first;
    def env($name): .spec.template.spec.containers[0].env[] | select(.name == $name).value;
    def wrong($what; $is): if $is then empty else $what end;
    of("DaemonSet"; "resource-collector") as $collector | of("Deployment"; "monitor-api") as $api
    | $collector.spec.template.spec as $node | $api.spec.template.spec as $server
    | wrong("image"; $node.containers[0].image == "example/collector:v1"),
      wrong("imagePullPolicy"; [$node, $server | .containers[0].imagePullPolicy] | all(. == "Always")),
      wrong("imagePullSecrets"; [$node, $server | .imagePullSecrets[0].name] | all(. == "registry")),
      wrong("interval"; ($collector | env("COLLECT_INTERVAL")) == "500ms"),
      wrong("priorityClassName"; $node.priorityClassName == "system-node-critical"),
      wrong("podAnnotations"; $collector.spec.template.metadata.annotations.a == "b"),
      wrong("podSecurityContext"; $node.securityContext | .supplementalGroups == [7] and .runAsUser == 60800),
      wrong("extraArgs"; $node.containers[0].args == ["--debug"]),
      wrong("retention"; ($api | env("RETENTION")) == "6h"),
      wrong("tolerations"; $server.tolerations == [{operator: "Exists"}]),
      wrong("podLabels"; $api.spec.template.metadata.labels.c == "d"),
      wrong("serviceAccount"; $server.serviceAccountName == "mine"
        and of("ClusterRoleBinding"; "kubemonitor-api").subjects[0].name == "mine"
        and of("ServiceAccount"; "monitor-api") == null),
      wrong("nodePort"; of("Service"; "monitor-api-nodeport") == null),
      wrong("persistence"; (of("PersistentVolumeClaim"; "monitor-api").spec
          | .storageClassName == "fast" and .resources.requests.storage == "20Gi")
        and $server.securityContext.fsGroup == $server.securityContext.runAsGroup),
      wrong("push"; of("Secret"; "monitor-api-token").stringData.token == "secret"
        and ($api | env("API_TOKEN_FILE") == "/etc/kubemonitor/token" and env("ALLOW_PUSH") == "true"
          and env("PUSH_SERVICE_ACCOUNTS") == "shop/pusher,own")),
      wrong("collector.serviceAccount"; $node.serviceAccountName == "measurer"
        and ($api | env("COLLECTOR_SERVICE_ACCOUNT")) == "measurer"),
      wrong("basePath"; ($api | env("BASE_PATH")) == "/monitoring"),
      wrong("metricsApi.tls"; of("APIService"; "v1beta1.metrics.k8s.io").spec
        | .caBundle == "QUJD" and .insecureSkipTLSVerify == null),
      wrong("networkPolicy"; all(.kind != "NetworkPolicy"))'

  local setting
  for setting in collector.intervall=1 collector.interval=soon api.nodePort.port=99999 push.token.enabled=true api.basePath=//evil.example; do
    check "chart: $setting is refused" refuses "$setting"
  done
}

accepted() { # WHAT NAMESPACE FILE: by the cluster that KUBECONFIG names; nothing is changed
  check "cluster: accepts $1 in $2" kubectl apply --dry-run=server --namespace "$2" --filename "$3"
}

command -v jq >/dev/null || { echo "error: jq is needed" >&2 && exit 1; }
if ! command -v kubectl >/dev/null; then
  skip "everything: there is no kubectl here, which reads YAML"
  exit
fi

json monitor.yaml >"$work/monitor.json"
json metrics-api.yaml >"$work/metrics-api.json"
keeps_promises monitor.yaml "$work/monitor.json"
users_agree
kustomized
by_sed

if command -v "$helm" >/dev/null; then the_chart; else skip "the chart: there is no helm here"; fi

# A second kubemonitor cannot have the first one's node port, so its objects would be refused.
runs_already() {
  kubectl get services --all-namespaces --output json | jq --exit-status 'any(.items[].spec.ports[]?; .nodePort == 30080)'
}

if [[ -z ${KUBECONFIG:-} ]]; then
  skip "a cluster's word: KUBECONFIG is not set"
elif runs_already >/dev/null; then
  skip "a cluster's word: node port 30080 is taken, so kubemonitor seems to run there already"
else
  accepted monitor.yaml default monitor.yaml
  accepted metrics-api.yaml default metrics-api.yaml
  accepted "monitor.yaml by sed" "$other_namespace" "$work/monitor-by-sed.yaml"
  accepted "metrics-api.yaml by sed" "$other_namespace" "$work/metrics-api-by-sed.yaml"
  accepted kustomize "$other_namespace" "$work/kustomized.yaml"
  for values in plain metrics full; do
    [[ ! -f $work/$values.yaml ]] || accepted "the chart ($values)" "$other_namespace" "$work/$values.yaml"
  done
fi

if ((failures)); then
  printf '%s of the checks on manifests failed\n' "$failures" >&2
  exit 1
fi
printf 'ok: manifests and chart (%s skipped)\n' "${#skipped[@]}"
