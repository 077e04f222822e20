# shellcheck shell=bash disable=SC2016,SC2034,SC2154 # jq's variables; ours are shared by the files of lib
# A kubemonitor of a script's own: server and collector of this host, on a free port, gone at the end.
# Needs output.sh, cleanup.sh, http.sh and toolchain.sh. To be sourced from the repository's top folder.

monitor_options_help='  --binary FILE    the kubemonitor command to use [default: built with cargo, target/quick/kubemonitor]'

# monitor_options OPTION...: sets binary, for a script that has no options but these. Calls its usage.
monitor_options() {
  binary=${KUBEMONITOR:-}
  while (($#)); do
    case $1 in
      -h | --help)
        usage
        exit
        ;;
      --binary)
        need_value "$@"
        binary=$2
        shift
        ;;
      *) usage_error "unknown option $1" ;;
    esac
    shift
  done
}

# find_monitor [FILE]: sets monitor_binary, building it where none is given.
find_monitor() {
  monitor_binary=${1:-}
  if [[ -n $monitor_binary ]]; then
    [[ -x $monitor_binary ]] || die "$monitor_binary is no program"
    return
  fi
  ensure_rust
  step "Building kubemonitor (minutes the first time)"
  cargo build --profile quick --locked --package kubemonitor
  monitor_binary=${CARGO_TARGET_DIR:-target}/quick/kubemonitor
}

# start_monitor INTERVAL: sets api_url and monitor_pid; returns once this host's figures are there.
start_monitor() {
  env -u DATA_DIR "$monitor_binary" up --port 0 --interval "$1" --node "$monitor_node" \
    >"$work/monitor.out" 2>"$work/monitor.err" </dev/null &
  monitor_pid=$!
  at_exit end_process "$monitor_pid"
  wait_until 20 "kubemonitor to start" monitor_listens || monitor_failed "it does not listen"
  api_url=$(sed -n 's,.*Dashboard *\(http://localhost:[0-9]*\)/.*,\1,p' "$work/monitor.out")
  wait_until 20 "the first figures" answers "$api_url/api/nodes/$monitor_node" || monitor_failed "no figures"
  info "kubemonitor measures this host every $1 on $api_url"
}

monitor_node=$(uname -n)

monitor_listens() {
  kill -0 "$monitor_pid" 2>/dev/null || monitor_failed "it ended"
  grep -qs Dashboard "$work/monitor.out"
}

monitor_failed() {
  sed 's/^/  /' "$work/monitor.err" >&2
  die "kubemonitor does not run: $1"
}

# fresh_sample PATH: the newest sample of one entity, measured after this was called.
fresh_sample() {
  local since turn sample
  since=$(date +%s.%N)
  for turn in {1..150}; do
    sample=$(fetch_json "$api_url$1" "$samples_jq"'.[0] | select((.timestamp | seconds) >= $since)' \
      --argjson since "$since" --compact-output 2>/dev/null) || sample=''
    if [[ -n $sample ]]; then
      printf '%s' "$sample"
      return
    fi
    sleep 0.1
  done
  return 1
}

# field SAMPLE NAME
field() { jq --arg name "$2" '.[$name]' <<<"$1"; }

# increase BEFORE AFTER NAME: of a cumulative field between two samples.
increase() {
  jq --null-input --argjson before "$1" --argjson after "$2" --arg name "$3" \
    'if $before[$name] == null or $after[$name] == null then null else $after[$name] - $before[$name] end'
}

# cpu_seconds PATH START END: the CPU time that the samples between two moments say was used: each
# one's rate, times the time it stands for.
cpu_seconds() {
  fetch_json "$api_url$1?start=$2&end=$3" "$samples_jq"'integral(.cpu_millicores) / 1000'
}

samples_jq='
  def seconds: (.[0:19] + "Z" | fromdateiso8601) + ("0" + .[19:-1] | tonumber);
  def integral(f):
    [.[] | {at: (.timestamp | seconds), value: f}] as $samples
    | reduce range(1; $samples | length) as $i
        (0; . + ($samples[$i].value // 0) * ($samples[$i].at - $samples[$i - 1].at));
  '
