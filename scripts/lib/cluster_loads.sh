# shellcheck shell=bash disable=SC2016,SC2034,SC2154 # jq's variables; ours are shared by the files of lib
# Loads in a cluster, as pods, and what kubemonitor shows of them. Needs all of lib that is for clusters.
# To be sourced.

load_image_name=kubemonitor-load:test

# load_cluster URL NODE IMPORT
load_cluster() {
  local url=$1 node=$2 import=$3
  need_commands iperf3 busybox
  find_stress
  open_api "$url"
  info "asking $api_url"
  make_load_image "$import"
  load_namespace=kubemonitor-test-$$
  at_exit delete_load_namespace
  kube create namespace "$load_namespace" >/dev/null
  pod_cpu "$node"
  pod_memory "$node"
  pod_disk "$node"
  pod_network "$node"
  pods_come_and_go "$node"
}

delete_load_namespace() {
  kubectl delete namespace "$load_namespace" --ignore-not-found --wait=false >/dev/null 2>&1
}

# The loads' programs and the libraries they ask for, and nothing else: no image is pulled.
make_load_image() {
  local root=$work/load-image archive=$work/load-image.tar program file kind
  step "The loads' image: busybox, $stress and iperf3, from nothing"
  mkdir -p "$root/bin" "$root/tmp"
  cp "$(command -v busybox)" "$root/bin/busybox"
  for program in sh dd sleep cat nc; do ln -sf busybox "$root/bin/$program"; done
  for program in "$(command -v "$stress")" "$(command -v iperf3)" "$root/bin/busybox"; do
    [[ $program == "$root"* ]] || cp "$program" "$root/bin/"
    for file in $(ldd "$program" 2>/dev/null | grep -o '/[^ ]*'); do
      mkdir -p "$root$(dirname "$file")"
      cp --dereference "$file" "$root$file"
    done
  done
  printf 'FROM scratch\nCOPY . /\nENV PATH=/bin\nCMD ["sleep", "infinity"]\n' >"$work/Dockerfile.load"
  local engine
  engine=$(first_engine)
  pack_image "$engine" "$root" "$work/Dockerfile.load" "$load_image_name" "$archive" >"$work/pack" 2>&1 ||
    { sed 's/^/  /' "$work/pack" && die "$engine does not build the loads' image"; }
  at_exit remove_image "$engine" "$load_image_name"
  if [[ -n $1 ]]; then
    bash -c "$1" <"$archive" >"$work/import" 2>&1 || { sed 's/^/  /' "$work/import" && die "the image could not be loaded with: $1"; }
  else
    kind=$(cluster_kind)
    load_image "$archive" "$kind" ||
      die "do not know how to load an image into this cluster; say how with --import, such as --import 'ctr -n k8s.io images import -'"
  fi
  info "loaded $load_image_name ($(numfmt --to=iec "$(stat --format %s "$archive")")B)"
}

# run_pod NAME NODE COMMAND: a pod that runs a shell command, with an empty folder at /data.
run_pod() {
  jq --null-input --arg name "$1" --arg node "$2" --arg command "$3" --arg image "$load_image_name" '{
    apiVersion: "v1", kind: "Pod", metadata: {name: $name, labels: {app: $name}},
    spec: ({
      restartPolicy: "Never", terminationGracePeriodSeconds: 0, automountServiceAccountToken: false,
      containers: [{name: "load", image: $image, imagePullPolicy: "Never", command: ["sh", "-c", $command],
        volumeMounts: [{name: "data", mountPath: "/data"}]}],
      volumes: [{name: "data", emptyDir: {}}]
    } + if $node == "" then {} else {nodeSelector: {"kubernetes.io/hostname": $node}} end)
  }' | kube --namespace "$load_namespace" apply --filename - >/dev/null
  wait_until 60 "pod $1 to run" pod_runs "$1" ||
    die "pod $1 does not run: $(kube --namespace "$load_namespace" get events --field-selector "involvedObject.name=$1" --output 'jsonpath={.items[-1:].message}')"
  # Known by name at once; measured after two ticks.
  wait_until 40 "pod $1 to be measured" is_measured "$(path_of "$1")" || die "kubemonitor does not measure pod $1"
}

is_measured() {
  fetch_json "$api_url$1" '.[0] | .cpu_millicores != null and .memory_used_bytes != null' 2>/dev/null | grep -q true
}

path_of() { echo "/api/namespaces/$load_namespace/pods/$1"; }

pod_runs() {
  [[ $(kube --namespace "$load_namespace" get pod "$1" --output 'jsonpath={.status.phase}' 2>/dev/null) =~ ^(Running|Succeeded)$ ]]
}

in_load_pod() { # NAME COMMAND
  kubectl --namespace "$load_namespace" exec "$1" -- sh -c "$2"
}

# settled PATH FIELD: its value once two samples in a row have the same.
settled() {
  local turn before='' now
  for turn in {1..20}; do
    now=$(field "$(fresh_sample "$1")" "$2")
    if [[ -n $now && $now == "$before" ]]; then
      echo "$now"
      return
    fi
    before=$now
  done
  echo "$now"
}

# known PATH FIELD: its value as soon as there is one; a pod's network is not known at once.
known() {
  local turn now=null
  for turn in {1..60}; do
    now=$(field "$(fresh_sample "$1")" "$2")
    [[ ${now:-null} == null ]] || break
    sleep 0.5
  done
  echo "${now:-null}"
}

difference() { jq --null-input --argjson after "${1:-null}" --argjson before "${2:-null}" 'if $after == null or $before == null then null else $after - $before end'; }

pod_cpu() {
  local seconds=15 from to path done_seconds
  step "Pod: CPU, $stress --cpu 1 for $seconds s"
  run_pod cpu "$1" 'sleep 600'
  path=$(path_of cpu)
  from=$(field "$(fresh_sample "$path")" timestamp | jq --raw-output .)
  # `times` prints minutes and seconds, user and system, of the shell and then of what it has run.
  in_load_pod cpu "$stress --cpu 1 --timeout $seconds >/dev/null; times" >"$work/times"
  to=$(fresh_sample "$path" >/dev/null && field "$(fresh_sample "$path")" timestamp | jq --raw-output .)
  done_seconds=$(awk 'NR == 2 {
    for (i = 1; i <= 2; i++) {split($i, part, "m"); sum += part[1] * 60 + part[2]}
    print sum}' "$work/times")
  within 5 "pod: CPU, against the load's own times" s "$(cpu_seconds "$path" "$from" "$to")" "$done_seconds" 0.05
}

pod_memory() {
  local path before after
  step "Pod: memory, 256 MiB that $stress holds"
  # It waits for a word, so that there is a figure from before.
  run_pod memory "$1" "until [ -e /data/go ]; do sleep 1; done; exec $stress --vm 1 --vm-bytes 256M --vm-keep --vm-hang 60 --timeout 300"
  path=$(path_of memory)
  before=$(field "$(fresh_sample "$path")" memory_used_bytes)
  in_load_pod memory ': >/data/go'
  wait_until 60 "the memory to be taken" memory_is_over "$path" $((128 * mib)) || true
  after=$(settled "$path" memory_used_bytes)
  within 5 "pod: memory, against the allocation" MiB \
    "$(in_mib "$(difference "$after" "$before")")" 256
  kube --namespace "$load_namespace" delete pod memory --wait=false >/dev/null
}

memory_is_over() {
  fetch_json "$api_url$1" '.[0].memory_used_bytes > $bytes' --argjson bytes "$2" 2>/dev/null | grep -q true
}

pod_disk() {
  local path before after counted
  step "Pod: disk, dd writes 500 MiB past the page cache"
  run_pod disk "$1" 'sleep 600'
  path=$(path_of disk)
  before=$(fresh_sample "$path")
  if ! in_load_pod disk 'dd if=/dev/zero of=/data/file bs=1M count=500 oflag=direct conv=fsync' >"$work/dd" 2>&1; then
    skips "pod: disk: its node has no direct I/O on an emptyDir: $(tail -1 "$work/dd")"
    return
  fi
  grep -h bytes "$work/dd" || true
  after=$(settled "$path" disk_write_bytes)
  counted=$(in_mib "$(difference "$after" "$(field "$before" disk_write_bytes)")")
  if [[ $counted == null || $counted == 0 ]]; then
    skips "pod: disk: this node's kernel counts no I/O of cgroups (v2 without the io controller, or v1 from Linux 6.10 on without a limit)"
  else
    within 5 "pod: disk, against what dd wrote" MiB "$counted" 500
  fi
}

pod_network() {
  local address client server before_out before_in after_out after_in carried
  step "Pod: network, iperf3 between two pods"
  run_pod iperf-server "$1" 'exec iperf3 --server'
  run_pod iperf-client "$1" 'sleep 600'
  server=$(path_of iperf-server) client=$(path_of iperf-client)
  address=$(kube --namespace "$load_namespace" get pod iperf-server --output 'jsonpath={.status.podIP}')
  before_out=$(known "$client" network_tx_bytes)
  before_in=$(known "$server" network_rx_bytes)
  # Some versions end with 0 though they reached nobody.
  if ! in_load_pod iperf-client "iperf3 --client $address --time 5 --bitrate 200M --json" >"$work/iperf" 2>&1 ||
    ! jq --exit-status .end.sum_sent.bytes "$work/iperf" >/dev/null 2>&1; then
    fails "pod: network: iperf3: $(jq --raw-output .error "$work/iperf" 2>/dev/null || tail -1 "$work/iperf")"
    return
  fi
  after_out=$(settled "$client" network_tx_bytes)
  after_in=$(settled "$server" network_rx_bytes)
  carried=$(jq '.end.sum_sent.bytes / 1048576' "$work/iperf")
  # Headers are in what interfaces count and not in what iperf3 does: 66 bytes with each packet, whose
  # number is the kernel's affair: from 0.1 % of 64 KiB to 4.6 % of 1448 bytes. So between the two.
  local way shown
  for way in out in; do
    if [[ $way == out ]]; then
      shown=$(in_mib "$(difference "$after_out" "$before_out")")
    else
      shown=$(in_mib "$(difference "$after_in" "$before_in")")
    fi
    within 5 "pod: network $way, against iperf3" MiB "$shown" "$carried"
  done
}

pods_come_and_go() {
  local asked limit=15
  step "Pods appear, multiply and disappear"
  jq --null-input --arg node "$1" --arg image "$load_image_name" '{
    apiVersion: "apps/v1", kind: "Deployment", metadata: {name: "many"},
    spec: {replicas: 3, selector: {matchLabels: {app: "many"}}, template: {metadata: {labels: {app: "many"}}, spec: ({
      terminationGracePeriodSeconds: 0, automountServiceAccountToken: false,
      containers: [{name: "load", image: $image, imagePullPolicy: "Never", command: ["sleep", "infinity"]}]
    } + if $node == "" then {} else {nodeSelector: {"kubernetes.io/hostname": $node}} end)}}
  }' | kube --namespace "$load_namespace" apply --filename - >/dev/null
  many_become 3 $limit
  kube --namespace "$load_namespace" scale deployment many --replicas 5 >/dev/null
  many_become 5 $limit
  asked=$EPOCHREALTIME
  kube --namespace "$load_namespace" delete deployment many --wait=false >/dev/null
  if wait_until 60 "the pods to be gone" shows_many 0; then
    passes "pods: none is shown $(seconds_since "$asked") s after the deployment was deleted"
  else
    fails "pods: some are still shown 60 s after the deployment was deleted"
  fi
}

many_become() { # COUNT LIMIT
  wait_until 90 "$1 pods to run" runs_many "$1" || die "the cluster does not run $1 pods in 90 s"
  local since=$EPOCHREALTIME
  if wait_until "$2" "$1 pods to be shown" shows_many "$1"; then
    passes "pods: $1 are shown ($(seconds_since "$since") s after Kubernetes said that they run, of $2 allowed)"
  else
    fails "pods: $2 s after Kubernetes said that $1 run, they are not shown"
  fi
}

runs_many() {
  [[ $(kube --namespace "$load_namespace" get deployment many --output 'jsonpath={.status.readyReplicas}') == "$1" ]]
}

shows_many() {
  fetch_json "$api_url/api/namespaces/$load_namespace/pods?labelSelector=app%3Dmany" \
    '[.[] | select(.ended | not)] | length == $count' --argjson count "$1" 2>/dev/null | grep -q true ||
    # Without any pod the namespace may be unknown.
    { (($1 == 0)) && ! answers "$api_url/api/namespaces/$load_namespace/pods"; }
}
