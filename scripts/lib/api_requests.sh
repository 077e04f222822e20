# shellcheck shell=bash disable=SC2016,SC2034,SC2154 # jq's variables; ours are shared by the files of lib
# The requests of 05-test-api.sh, and what must hold of each answer. Needs output.sh, checks.sh, http.sh,
# monitor.sh. To be sourced.

openapi_keys='
  def operation($api): $api.paths[$path][$method | ascii_downcase];
  def content($api): operation($api).responses[$status].content // {};'

get_openapi() {
  ask "$api_url/openapi.json"
  [[ $http_status == 200 ]] || die "/openapi.json answers $http_status $http_error"
  jq --exit-status '.openapi | startswith("3.1")' "$work/body" >/dev/null || die "/openapi.json is no OpenAPI 3.1"
  cp "$work/body" "$work/openapi.json"
  : >"$work/asked"
  : >"$work/times"
  passes "GET /openapi.json: OpenAPI $(jq --raw-output .openapi "$work/body"), $(jq '.paths | length' "$work/body") paths ($http_ms ms)"
}

# try METHOD STATUS TEMPLATE PATH [CURL OPTION...]: one request. TEMPLATE is the path as /openapi.json
# has it, or - for one that is not in it. Sets answered where all is as it should be.
try() {
  local method=$1 status=$2 template=$3 path=$4 what wrong='' count=''
  shift 4
  what="$method $path" answered=''
  ask --request "$method" "$@" "$api_url$path"
  echo "$http_ms" >>"$work/times"
  echo "${method,,} $template" >>"$work/asked"
  save_answer "$what"
  if [[ $http_status != "$status" ]]; then
    fails "$what: status $http_status $http_error, not $status: $(head -c 200 "$work/body")"
    return
  fi
  local allowed=$((max_ms + max_ms * $(stat --format %s "$work/body") / 1048576))
  if ((http_ms > allowed)); then
    fails "$what: took $http_ms ms, more than $allowed"
    return
  fi
  if [[ $http_type == *json* ]]; then
    wrong=$(wrong_json "$method" "$template") || wrong="no JSON: $wrong"
    count=${wrong%%$'\n'*} wrong=${wrong#"$count"} wrong=${wrong#$'\n'}
  elif [[ $template != - ]]; then
    wrong=$(wrong_type "$method" "$template")
  fi
  if [[ -n $wrong ]]; then
    fails "$what: $(head -3 <<<"$wrong")"
    return
  fi
  answered=yes
  passes "$what: $http_status, $http_ms ms$count"
}

# wrong_json METHOD TEMPLATE: how many the last answer has, and line by line what is not as /openapi.json
# says; of an error also whether it says enough.
wrong_json() {
  jq --raw-output --slurpfile api "$work/openapi.json" --arg path "$2" --arg method "$1" --arg status "$http_status" \
    --arg type "${http_type%%;*}" "$(<scripts/lib/schema.jq)$openapi_keys"'
      (if type == "array" then ", \(length) items" else "" end),
      ($api[0] as $api
       | if $path == "-" then empty
         else content($api) as $content
           | if $content | has($type) then wrong($api; $content[$type].schema; "answer")
             else "status \($status) as \($type) is not in /openapi.json" end
         end),
      (if ($status | startswith("2")) then empty
       elif .status != ($status | tonumber) or (.title | length) == 0 or (.detail | length) == 0 or $type != "application/problem+json"
       then "says too little: \(tojson), as \($type)" else empty end)' "$work/body" 2>&1
}

# wrong_type METHOD TEMPLATE: whether the last answer, no JSON, has a type that /openapi.json gives it.
wrong_type() {
  jq --raw-output --arg path "$2" --arg method "$1" --arg status "$http_status" --arg type "${http_type%%;*}" "$openapi_keys"'
    . as $api | content($api) | keys | map(split(";")[0]) as $types
    | if $types | index($type) then empty else "is \($type), not \($types | join(" or "))" end' "$work/openapi.json"
}

# A check that cannot fail checks nothing: an answer spoilt in each way must be found.
check_the_check() {
  local spoil
  ask "$api_url/api/nodes"
  cp "$work/body" "$work/good"
  for spoil in 'del(.[0].cpu_millicores)' '.[0].node_name = 7' '.[0].load1 = "much"' '.[0].pod_count = 1.5' \
    '.[0].unheard_of = 1' '.[0].timestamp = "yesterday"' '.[0]' '[1]'; do
    jq "$spoil" "$work/good" >"$work/body"
    if [[ -z $(wrong_json GET /api/nodes | tail -n +2) ]]; then
      fails "an answer spoilt with $spoil is not found"
      return
    fi
  done
  passes "spoilt answers are told from good ones (8 ways)"
}

# holds WHAT FILTER [JQ OPTION...]: of the last answer, if it was one.
holds() {
  [[ -n $answered ]] || return 0
  local what=$1 filter=$2
  shift 2
  if jq --exit-status "$@" "$samples_jq$filter" "$work/body" >/dev/null 2>"$work/jq"; then
    passes "  $what"
  else
    fails "  $what: $(head -c 300 "$work/body")$(<"$work/jq")"
  fi
}

save_answer() {
  [[ -n $save ]] || return 0
  {
    printf '=== %s\nstatus %s, %s ms, %s\n' "$1" "$http_status" "$http_ms" "$http_type"
    if [[ $http_type == *json* ]]; then jq . "$work/body" 2>/dev/null || cat "$work/body"; else cat "$work/body"; fi
    printf '\n'
  } >>"$save"
}

names_of() { # PATH FILTER: one name a line
  fetch_json "$api_url$1" "$2" 2>/dev/null || true
}

first_of() { names_of "$1" "first($2)"; }

# What there is to ask for; empty where there is nothing of a kind.
discover_names() {
  local each ways=(/api/pods)
  node=$(first_of /api/nodes '.[].node_name')
  [[ -n $node ]] || die "the server knows no node yet: is a collector running?"
  unit_node=$(first_of /api/units '.[].node_name')
  unit=$(first_of /api/units '.[].unit_name')
  namespace='' deployment='' kind='' workload='' pod='' lone_pod='' twin_pod='' label_pod=''
  local namespaces=()
  mapfile -t namespaces < <(names_of /api/namespaces '.[].namespace')
  for each in "${namespaces[@]}"; do
    deployment=$(first_of "/api/namespaces/$(percent_encoded "$each")/deployments" '.[] | select(.pod_count > 0).deployment')
    namespace=$each
    [[ -z $deployment ]] || break
  done
  if [[ -n $namespace ]]; then
    local at
    at=/api/namespaces/$(percent_encoded "$namespace")
    read -r kind workload < <(names_of "$at/workloads" 'first(.[]) | "\(.workload_kind) \(.workload_name)"') || true
    pod=$(first_of "$at/pods" '.[] | select(.container_count > 0).pod_name')
    [[ -n $pod ]] || pod=$(first_of "$at/pods" '.[].pod_name')
  fi
  lone_pod=$(first_of /api/pods 'group_by(.pod_name)[] | select(length == 1)[0].pod_name')
  twin_pod=$(first_of /api/pods 'group_by(.pod_name)[] | select(length > 1)[0].pod_name')
  info "node $node; namespace ${namespace:-none}; deployment ${deployment:-none}; pod ${pod:-none}; workload ${kind:-none} $workload;" \
    "pod name in several namespaces: ${twin_pod:-none}; unit ${unit:-none}"
}

# ask_list TEMPLATE PATH: every variant of a list. With thorough=yes every value too that must be refused,
# and every way to sort: what reads them is the same for all paths.
ask_list() {
  local template=$1 path=$2 by
  try GET 200 "$template" "$path"
  [[ -n $answered ]] || return 0
  holds "each without \`samples\`" 'all(.[]; has("samples") | not)'
  ask_times "$template" "$path" "$windowed_list"
  local ways=(-name -cpu memory)
  [[ -z $thorough ]] || ways=(name -name cpu -cpu memory -memory network -network disk -disk)
  for by in "${ways[@]}"; do
    try GET 200 "$template" "$path?sort=$by"
    case $by in
      -cpu) holds "the largest first" '[.[].cpu_millicores | select(. != null)] | . == (sort | reverse)' ;;
      cpu) holds "the smallest first" '[.[].cpu_millicores | select(. != null)] | . == sort' ;;
      -memory) holds "the largest first" '[.[].memory_used_bytes | select(. != null)] | . == (sort | reverse)' ;;
    esac
  done
  try GET 400 "$template" "$path?sort=colour"
  try GET 400 "$template" "$path?limit=0"
  try GET 400 "$template" "$path?continue=nonsense"
  try GET 400 "$template" "$path?unknown=1"
  try GET 200 "$template" "$path?limit=100000"
  [[ -n $answered && $(jq length "$work/body") -gt 1 ]] || return 0
  ask_pages "$template" "$path"
}

windowed_list='all(.[]; has("samples") and ([.samples[].timestamp | seconds] | . == sort))'
windowed_one='[.[].timestamp | seconds] | . == sort'

# ask_pages TEMPLATE PATH: page by page it is the same list.
ask_pages() {
  local size token='' pages=0 next
  size=$(jq '(length / 3 | ceil)' "$work/body")
  cp "$work/body" "$work/whole"
  : >"$work/paged"
  while :; do
    next="$2?limit=$size${token:+&continue=$(percent_encoded "$token")}"
    try GET 200 "$1" "$next"
    [[ -n $answered ]] || return 0
    jq --compact-output 'map(del(.timestamp) | [.namespace?, .node_name?, .pod_name?, .deployment?, .workload_kind?, .workload_name?, .container_name?, .unit_name?])' \
      "$work/body" >>"$work/paged"
    pages=$((pages + 1))
    token=$(header x-continue)
    if [[ -n $token && -z $(header link) ]]; then fails "  X-Continue without Link"; fi
    [[ -n $token && $pages -lt 10 ]] || break
  done
  if jq --exit-status --slurpfile paged "$work/paged" \
    'map([.namespace?, .node_name?, .pod_name?, .deployment?, .workload_kind?, .workload_name?, .container_name?, .unit_name?]) == ($paged | add)' \
    "$work/whole" >/dev/null; then
    passes "  $pages pages of $size are the whole list"
  else
    fails "  $pages pages of $size are not the whole list"
  fi
}

# ask_times TEMPLATE PATH FILTER: every way to ask for a span.
ask_times() {
  local template=$1 path=$2 filter=$3 now start window bad
  now=$(date +%s)
  start=$(date --utc --date "@$((now - 30))" +%Y-%m-%dT%H:%M:%SZ)
  local windows=(10 3600) refused=(window=0 start=yesterday "window=10&window=20")
  if [[ -n $thorough ]]; then
    windows=(1 10 60 3600 99999)
    refused+=(window=-5 window=soon window= step=0 end=-1 windows=60)
  fi
  for window in "${windows[@]}"; do
    try GET 200 "$template" "$path?window=$window"
    holds "oldest first" "$filter"
  done
  try GET 200 "$template" "$path?start=$start"
  holds "none before the start" '[.. | .timestamp? // empty | strings | seconds] | all(. >= $from)' --argjson from "$((now - 30))"
  try GET 200 "$template" "$path?start=$((now - 30))&end=$((now - 5))"
  holds "none outside" '[.. | .timestamp? // empty | strings | seconds] | all(. >= $from and . <= $to)' \
    --argjson from "$((now - 30))" --argjson to "$((now - 5))"
  try GET 200 "$template" "$path?start=$((now - 60))&end=$now&step=15"
  holds "oldest first" "$filter"
  try GET 200 "$template" "$path?window=60&step=20"
  if [[ -n $thorough ]]; then
    try GET 200 "$template" "$path?end=$now"
    try GET 200 "$template" "$path?window=60&start=$((now - 20))"
    holds "both hold" '[.. | .timestamp? // empty | strings | seconds] | all(. >= $from)' --argjson from "$((now - 20))"
    try GET 200 "$template" "$path?start=$now&end=$((now - 20))"
    holds "between the two" '[.. | .timestamp? // empty | strings | seconds] | all(. >= $from)' --argjson from "$((now - 20))"
  fi
  for bad in "${refused[@]}"; do
    try GET 400 "$template" "$path?$bad"
  done
}

# ask_one TEMPLATE PATH [ENOUGH]: every variant of one thing.
ask_one() {
  local template=$1 path=$2
  try GET 200 "$template" "$path"
  holds "an array of one" 'length == 1'
  ask_times "$template" "$path" "$windowed_one"
  try GET 400 "$template" "$path?sort=cpu"
}

ask_everything() {
  local none=kubemonitor-no-such-thing ns=/api/namespaces/'{namespace}' at name
  step "The server itself"
  try GET 200 /health /health
  holds "healthy" '.status == "healthy"'
  try GET 200 /ready /ready
  try GET 200 / / --header 'Accept: application/json'
  holds "name and version" '.name == "kubemonitor" and (.version | length) > 0'
  try GET 200 - / --header 'Accept: text/html'
  says_html
  try GET 200 - /docs --location
  says_html
  try GET 200 /metrics /metrics
  try GET 404 - /api/nothing
  try GET 404 - /nothing/at/all
  try DELETE 405 - /api/nodes
  if [[ -n $(header allow) ]]; then passes "  Allow: $(header allow)"; else fails "  no header Allow"; fi
  try POST 405 - /api/pods

  step "Nodes"
  thorough=yes
  ask_list /api/nodes /api/nodes
  name=$(percent_encoded "$node")
  ask_one '/api/nodes/{node}' "/api/nodes/$name"
  thorough=''
  try GET 404 '/api/nodes/{node}' "/api/nodes/$none"
  try GET 404 '/api/nodes/{node}' "/api/nodes/$none?window=60"
  ask_list '/api/nodes/{node}/pods' "/api/nodes/$name/pods"
  try GET 404 '/api/nodes/{node}/pods' "/api/nodes/$none/pods"
  ask_list '/api/nodes/{node}/units' "/api/nodes/$name/units"
  try GET 404 '/api/nodes/{node}/units' "/api/nodes/$none/units"
  ask_list /api/units /api/units
  if [[ -n $unit ]]; then
    ask_one '/api/nodes/{node}/units/{unit}' "/api/nodes/$(percent_encoded "$unit_node")/units/$(percent_encoded "$unit")"
  else
    skips "one unit: this server knows none"
  fi
  try GET 404 '/api/nodes/{node}/units/{unit}' "/api/nodes/$name/units/$none"

  step "Pods"
  thorough=yes
  ask_list /api/pods /api/pods
  thorough=''
  if [[ -n $lone_pod ]]; then
    ask_one '/api/pods/{pod}' "/api/pods/$(percent_encoded "$lone_pod")"
  else
    skips "one pod by its name: this server knows none"
  fi
  try GET 404 '/api/pods/{pod}' "/api/pods/$none"
  if [[ -n $twin_pod ]]; then
    name=$(percent_encoded "$twin_pod")
    try GET 409 '/api/pods/{pod}' "/api/pods/$name"
    try GET 200 '/api/pods/{pod}' "/api/pods/$name?namespace=$(percent_encoded "$(first_of /api/pods ".[] | select(.pod_name == \"$twin_pod\").namespace")")"
    holds "that one" 'length == 1'
  else
    skips "a pod's name that several namespaces have: there is none here"
  fi
  try GET 200 /api/pods "/api/pods?node=$(percent_encoded "$node")"
  holds "of that node only" 'all(.[]; .node_name == $node)' --arg node "$node"
  try GET 200 /api/pods "/api/pods?namespace=$none"
  holds "none" 'length == 0'
  try GET 200 /api/pods "/api/pods?labelSelector=kubemonitor%2Fno-such-label"
  holds "none" 'length == 0'
  try GET 200 /api/pods "/api/pods?labelSelector=app%20in%20(a%2Cb)%2Ctier%21%3Dweb"
  try GET 400 /api/pods "/api/pods?labelSelector=%3D%3D"

  step "Namespaces"
  ask_list /api/namespaces /api/namespaces
  try GET 404 "$ns" "/api/namespaces/$none"
  try GET 404 "$ns/pods" "/api/namespaces/$none/pods"
  try GET 404 "$ns/deployments" "/api/namespaces/$none/deployments"
  try GET 404 "$ns/workloads" "/api/namespaces/$none/workloads"
  if [[ -z $namespace ]]; then
    skips "one namespace, its pods, deployments and workloads: this server knows none"
    return
  fi
  at=/api/namespaces/$(percent_encoded "$namespace")
  ask_one "$ns" "$at"
  ask_list "$ns/pods" "$at/pods"
  try GET 200 "$ns/pods" "$at/pods"
  holds "of that namespace only" 'all(.[]; .namespace == $namespace)' --arg namespace "$namespace"
  ask_list "$ns/deployments" "$at/deployments"
  ask_list "$ns/workloads" "$at/workloads"
  if [[ -n $pod ]]; then
    name=$(percent_encoded "$pod")
    ask_one "$ns/pods/{pod}" "$at/pods/$name"
    ask_list "$ns/pods/{pod}/containers" "$at/pods/$name/containers"
  else
    skips "one pod and its containers: namespace $namespace has none"
  fi
  try GET 404 "$ns/pods/{pod}" "$at/pods/$none"
  try GET 404 "$ns/pods/{pod}/containers" "$at/pods/$none/containers"
  if [[ -n $deployment ]]; then
    name=$(percent_encoded "$deployment")
    ask_one "$ns/deployments/{deployment}" "$at/deployments/$name"
    ask_list "$ns/deployments/{deployment}/pods" "$at/deployments/$name/pods"
    try GET 200 "$ns/deployments/{deployment}/pods" "$at/deployments/$name/pods"
    holds "of that deployment only" 'all(.[]; .deployment == $deployment)' --arg deployment "$deployment"
  else
    skips "one deployment and its pods: this server knows none"
  fi
  try GET 404 "$ns/deployments/{deployment}" "$at/deployments/$none"
  try GET 404 "$ns/deployments/{deployment}/pods" "$at/deployments/$none/pods"
  if [[ -n $workload ]]; then
    name=$kind/$(percent_encoded "$workload")
    ask_one "$ns/workloads/{kind}/{name}" "$at/workloads/$name"
    ask_list "$ns/workloads/{kind}/{name}/pods" "$at/workloads/$name/pods"
  else
    skips "one workload and its pods: namespace $namespace has none"
  fi
  try GET 404 "$ns/workloads/{kind}/{name}" "$at/workloads/Deployment/$none"
  try GET 404 "$ns/workloads/{kind}/{name}/pods" "$at/workloads/Deployment/$none/pods"
}

says_html() {
  [[ -n $answered ]] || return 0
  if [[ $http_type == text/html* ]] && grep -qi '<html' "$work/body"; then passes "  a page"; else fails "  no page, but $http_type"; fi
}

pushed=kubemonitor-api-test

# push PATH JSON
push() {
  ask --request POST "${authorization[@]}" --json "$2" "$api_url$1"
}

# sample NAMES: a pushed sample with these fields beside the figures.
sample() {
  jq --null-input --compact-output --argjson names "$1" --arg now "$(date --utc +%Y-%m-%dT%H:%M:%S.%3NZ)" \
    '$names + {timestamp: $now, cpu_millicores: 250, memory_bytes: 104857600, disk_read_bytes: 4096,
      disk_write_bytes: 8192, network_rx_bytes: 1000, network_tx_bytes: 2000}'
}

# Things to ask for: a pod's name in two namespaces, and a deployment.
push_samples() {
  local turn
  for turn in 1 2; do
    push "/api/pods/$pushed-twin" "$(sample "{\"pod\": \"$pushed-twin\", \"namespace\": \"$pushed\", \"deployment\": \"$pushed\", \"node\": \"$pushed\"}")"
    push "/api/pods/$pushed-twin" "$(sample "{\"pod\": \"$pushed-twin\", \"namespace\": \"$pushed-2\", \"deployment\": \"\", \"node\": \"$pushed\"}")"
    push "/api/pods/$pushed-lone" "$(sample "{\"pod\": \"$pushed-lone\", \"namespace\": \"$pushed\", \"deployment\": \"$pushed\", \"node\": \"$pushed\"}")"
    push "/api/nodes/$pushed" "$(sample "{\"node\": \"$pushed\"}")"
    [[ $http_status == 200 ]] || warn "pushing a sample: $http_status $(head -c 200 "$work/body")"
    sleep 1
  done
}

ask_writes() {
  local ns='/api/namespaces/{namespace}' json=(--header 'Content-Type: application/json') template path field each
  step "Writes"
  ask --request POST "${json[@]}" --data '{}' "${authorization[@]}" "$api_url/api/nodes/$pushed"
  if [[ $http_status == 40[13] ]]; then
    skips "writes: the server wants another token ($http_status); give it with --token-file"
    printf 'post %s\n' /api/frames '/api/nodes/{node}' '/api/pods/{pod}' "$ns" "$ns/deployments/{deployment}" >>"$work/asked"
    return
  fi
  try POST 400 /api/frames /api/frames --header 'Content-Type: application/octet-stream' --data-binary 'no frame' "${authorization[@]}"
  while read -r template path field; do
    try POST 400 "$template" "$path" "${json[@]}" --data '{' "${authorization[@]}"
    try POST 400 "$template" "$path" "${json[@]}" --data '{"cpu_millicores": 1}' "${authorization[@]}"
    try POST 400 "$template" "$path" "${json[@]}" "${authorization[@]}" \
      --data "$(sample "$(jq --null-input --compact-output --arg field "$field" '{namespace: "n", node: "n", pod: "p", deployment: "d"} + {($field): "another"}')")"
    try POST 415 "$template" "$path" --header 'Content-Type: text/plain' --data 'cpu=1' "${authorization[@]}"
    if [[ -n $write ]]; then
      try POST 200 "$template" "$path" "${json[@]}" "${authorization[@]}" \
        --data "$(sample "{\"pod\": \"$pushed-lone\", \"namespace\": \"$pushed\", \"deployment\": \"$pushed\", \"node\": \"$pushed\"}")"
      try GET 200 "$template" "$path"
      holds "what was pushed is there" 'any(.[]; .memory_used_bytes >= 104857600)'
    fi
  done <<TEXT
/api/nodes/{node} /api/nodes/$pushed node
/api/pods/{pod} /api/pods/$pushed-lone pod
$ns /api/namespaces/$pushed namespace
$ns/deployments/{deployment} /api/namespaces/$pushed/deployments/$pushed deployment
TEXT
  [[ -n $write ]] || skips "writes that are taken: they would stay; --write pushes samples of $pushed, --self does it on a server of its own"
}

# What /openapi.json promises and nothing above has asked.
check_coverage() {
  step "Coverage"
  local missing
  missing=$(jq --raw-output '.paths | to_entries[] | .key as $path | .value | keys[] | "\(.) \($path)"' "$work/openapi.json" |
    sort | comm -23 - <(sort -u "$work/asked"))
  if [[ -z $missing ]]; then
    passes "every path and method of /openapi.json was asked"
  elif [[ -z $namespace ]]; then
    skips "not asked, for want of pods: $(tr '\n' ',' <<<"$missing")"
  else
    fails "not asked: $(tr '\n' ',' <<<"$missing")"
  fi
}
