#!/usr/bin/env bash
# Measures what kubemonitor costs at several scales, and beside two other stores.
set -euo pipefail

readonly FULL_NODES=5000 PODS=30 CONTAINERS=2

usage() {
    cat <<'TEXT'
Usage: scripts/bench.sh [OPTION...] [SCALE...]

Feeds kubemonitor-api with simulated fleets over loopback and measures CPU time, memory, disk,
acknowledgement times, query times and restarts. A SCALE is a fraction of 5,000 nodes x 30 pods x 2
containers: 1/50, 1/20, 1/10 or 1 (default: 1/50 1/20 1/10).

  --ticks N        ticks by the clock at each scale, 5 s apart, while queries run (default: 24)
  --history N      ticks sent before that, as fast as they are taken (default: 120)
  --no-names       no Kubernetes names: namespaces are then not measured
  --no-disk        without a data directory, and so without restarts
  --beside         also VictoriaMetrics and Prometheus, fed the same samples by remote write
  --beside-ticks N ticks for that (default: 120)
  --beside-nodes N nodes for that (default: 50)
  --out DIR        where tables and JSON go (default: result/bench)
  --profile NAME   the cargo profile to build and run (default: release)
  --no-build       run what is built already
  -h, --help       this text

VictoriaMetrics and Prometheus are looked for on PATH, or as VICTORIA_METRICS=/path PROMETHEUS=/path
(Debian packages `victoria-metrics` and `prometheus`). All traffic stays on 127.0.0.1.
TEXT
}

ticks=24 history=120 names=1 disk=1 beside=0 beside_ticks=120 beside_nodes=50
out=result/bench profile=release build=1
scales=()

while (($# > 0)); do
    case $1 in
        --ticks) ticks=$2; shift ;;
        --history) history=$2; shift ;;
        --no-names) names=0 ;;
        --no-disk) disk=0 ;;
        --beside) beside=1 ;;
        --beside-ticks) beside_ticks=$2; shift ;;
        --beside-nodes) beside_nodes=$2; shift ;;
        --out) out=$2; shift ;;
        --profile) profile=$2; shift ;;
        --no-build) build=0 ;;
        -h | --help) usage; exit 0 ;;
        -*) echo "bench.sh: no option $1; see --help" >&2; exit 2 ;;
        *) scales+=("$1") ;;
    esac
    shift
done
((${#scales[@]} > 0)) || ((beside)) || scales=(1/50 1/20 1/10)

for tool in cargo curl awk sort; do
    command -v "$tool" >/dev/null || { echo "bench.sh: $tool is needed" >&2; exit 2; }
done

cd "$(dirname "$0")/.."
mkdir -p "$out"
out=$(cd "$out" && pwd)
if ((build)); then
    cargo build --profile "$profile" -p kubemonitor-api -p kubemonitor-simulate --bins --examples
fi
bin=${CARGO_TARGET_DIR:-target}/$profile
scratch=$(mktemp -d)
pids=()

# Ends what this script started and nothing else.
finish() {
    for pid in "${pids[@]}"; do
        kill "$pid" 2>/dev/null || true
    done
    wait 2>/dev/null || true
    rm -rf "$scratch"
}
trap finish EXIT

free_port() {
    local port
    for ((port = 21000 + RANDOM % 9000; ; port++)); do
        if ! (exec 3<>"/dev/tcp/127.0.0.1/$port") 2>/dev/null; then
            echo "$port"
            return
        fi
    done
}

clock_ticks=$(getconf CLK_TCK)

# CPU seconds of a process so far.
cpu() {
    awk -v hz="$clock_ticks" '{ sub(/^.*\) /, ""); printf "%.2f", ($12 + $13) / hz }' "/proc/$1/stat"
}

# A line of /proc/PID/status in bytes.
memory() {
    awk -v key="$2:" '$1 == key { printf "%d", $2 * 1024 }' "/proc/$1/status"
}

disk_bytes() {
    du -sb "$1" | cut -f1
}

calc() {
    awk -v OFMT=%.4g "BEGIN { print ($1) }"
}

now() {
    date +%s.%N
}

# The value of a metric of the server's own.
metric() {
    curl -fsS "$url/metrics" | awk -v name="kubemonitor_$1" '$1 == name { print $2 }'
}

# A number of the generator's JSON report, by its key (the first of that name after the second
# argument, where one is given).
reported() {
    awk -v key="\"$1\":" -v after="${3:-}" '
        after != "" && index($0, "\"" after "\"") { after = "" }
        after == "" && $1 == key { gsub(/,/, "", $2); print $2; exit }' "$2"
}

wait_for() {
    local deadline=$((SECONDS + ${2:-60}))
    until curl -fsS -o /dev/null "$1" 2>/dev/null; do
        ((SECONDS < deadline)) || { echo "bench.sh: nothing answers at $1" >&2; return 1; }
        sleep 0.1
    done
}

# Starts the server on a port; sets url, server and started (seconds until it answered).
serve() {
    local port=$1 begun
    shift
    url=http://127.0.0.1:$port
    begun=$(now)
    "$bin/kubemonitor-api" --listen "127.0.0.1:$port" "$@" 2>>"$scratch/server.log" &
    server=$!
    pids+=("$server")
    wait_for "$url/health" 900
    started=$(calc "$(now) - $begun")
}

stop() {
    kill "$1"
    wait "$1" || true
}

# Asks for a path so many times, one after the other over one connection, and prints the 50th and
# 99th percentile in milliseconds.
latency() {
    local path=$1 count=$2 config=$scratch/queries
    : >"$config"
    for ((i = 0; i < count; i++)); do
        printf 'url = "%s"\noutput = /dev/null\n' "$url$path" >>"$config"
    done
    curl -fsS -w '%{time_total}\n' -K "$config" | sort -n | awk '
        { seconds[NR] = $1 * 1000 }
        END {
            printf "%.2f %.2f\n", seconds[int((NR + 1) * 0.5)], seconds[int(NR * 0.99 + 0.999)]
        }'
}

# Measures one scale and writes its JSON.
scale() {
    local name=$1 nodes data=$scratch/data names_of=() flags=() shape load
    nodes=$(calc "int($FULL_NODES * $name)")
    load=$(cut -d' ' -f1-3 /proc/loadavg)
    rm -rf "$data"
    ((disk)) && flags+=(--data-dir "$data")
    echo "$name: $nodes nodes, $history ticks as fast as possible" >&2
    local port
    port=$(free_port)
    shape=(--nodes "$nodes" --pods "$PODS" --containers "$CONTAINERS" --json)
    rm -f "$scratch/kubeconfig"
    # A server that follows a cluster takes frames from senders it knows only.
    echo bench >"$scratch/token"
    ((names)) && names_of=(--kubernetes-api "$scratch/kubeconfig" --token-file "$scratch/token")
    "$bin/examples/simulate" "${shape[@]}" --server "http://127.0.0.1:$port" \
        --history "$history" --ticks "$ticks" "${names_of[@]}" \
        >"$scratch/report.json" 2>"$scratch/progress" &
    local sender=$!
    pids+=("$sender")
    if ((names)); then
        until [[ -s $scratch/kubeconfig ]]; do sleep 0.1; done
        names_of=(--kubeconfig "$scratch/kubeconfig" --token-file "$scratch/token")
    fi
    serve "$port" "${flags[@]}" "${names_of[@]}"
    local frames=$((nodes * history))
    until grep -q "^$frames of $frames" "$scratch/progress"; do
        kill -0 "$sender"
        sleep 0.5
    done
    local past_cpu samples ingested rss store_bytes on_disk=0
    past_cpu=$(cpu "$server")
    rss=$(memory "$server" VmRSS)
    ingested=$(metric ingested_samples_total)
    samples=$(metric store_samples)
    store_bytes=$(metric store_bytes)

    echo "$name: $ticks ticks by the clock" >&2
    sleep 6
    local begun cores
    begun=$(now)
    past_cpu="$past_cpu $(cpu "$server")"
    sleep 20
    cores=$(calc "($(cpu "$server") - ${past_cpu#* }) / ($(now) - $begun)")
    echo "$name: queries meanwhile" >&2
    local uid rows="" path count query p50 p99 cpu_ms
    uid=$(curl -fsS "$url/api/pods?limit=1&sort=-cpu" | grep -o '"uid":"[^"]*"' | cut -d'"' -f4)
    for query in pod_5m namespaces_5m pods_by_cpu pods_all; do
        count=200
        case $query in
            pod_5m) path="/api/pods/$uid?window=300" ;;
            namespaces_5m) path="/api/namespaces?window=300" ;;
            pods_by_cpu) path="/api/pods?sort=-cpu&limit=500" ;;
            pods_all) path="/api/pods" count=5 ;;
        esac
        begun="$(now) $(cpu "$server")"
        read -r p50 p99 < <(latency "$path" "$count")
        # What taking frames in costs meanwhile is not the query's.
        cpu_ms=$(calc "($(cpu "$server") - ${begun#* } - $cores * ($(now) - ${begun% *})) * 1000 / $count")
        # On a busy machine frames take less than the usual share meanwhile.
        [[ $cpu_ms != -* ]] || cpu_ms=null
        rows+="  \"${query}_p50_ms\": $p50, \"${query}_p99_ms\": $p99, \"${query}_cpu_ms\": $cpu_ms,"
        rows+=$'\n'
    done
    wait "$sender" || echo "bench.sh: some frames were not taken; see failures in the report" >&2
    local killed=null stopped=null
    if ((disk)); then
        sleep 1
        on_disk=$(disk_bytes "$data")
        ingested_at_end=$(metric ingested_samples_total)
        kill -KILL "$server"
        wait "$server" 2>/dev/null || true
        serve "$(free_port)" "${flags[@]}"
        killed=$started
        stop "$server"
        serve "$(free_port)" "${flags[@]}"
        stopped=$started
    fi
    stop "$server"

    cat >"$out/scale-${name//\//-of-}.json" <<JSON
{
  "scale": "$name", "nodes": $nodes, "pods": $((nodes * PODS)),
  "date": "$(date -u +%FT%TZ)", "processors": $(nproc), "load_before": "$load",
  "history_ticks": $history, "samples": $samples,
  "cpu_s_per_million": $(calc "${past_cpu% *} * 1e6 / $ingested"),
  "rss_mib": $(calc "$rss / 1048576"),
  "rss_bytes_per_sample": $(calc "$rss / $samples"),
  "store_bytes_per_sample": $(calc "$store_bytes / $samples"),
  "disk_bytes_per_sample": $(calc "$on_disk / ${ingested_at_end:-$ingested}"),
  "real_time_cores": $cores,
  "ack_p50_ms": $(reported p50_ms "$scratch/report.json" acknowledgement),
  "ack_p99_ms": $(reported p99_ms "$scratch/report.json" acknowledgement),
$rows  "restart_after_kill_s": $killed, "restart_after_stop_s": $stopped
}
JSON
    cat "$out/scale-${name//\//-of-}.json" >&2
}

# A value of one of the JSON files this script wrote.
value() {
    grep -o "\"$1\": [^,}]*" "$2" | head -1 | cut -d' ' -f2- | tr -d '"'
}

# One row a measure, one column a scale.
table() {
    local row file
    printf '| measure |'
    for file in "$@"; do printf ' %s |' "$(value scale "$file")"; done
    printf '\n|---|'
    for file in "$@"; do printf -- '---:|'; done
    printf '\n'
    while read -r row; do
        printf '| %s |' "$row"
        for file in "$@"; do printf ' %s |' "$(value "$row" "$file")"; done
        printf '\n'
    done < <(grep -oh '"[a-z_0-9]*":' "$1" | tr -d '":' | grep -v -e '^scale$')
}

# Feeds one store and prints its line: name, CPU seconds per million samples, RSS, bytes on disk.
beside_one() {
    local name=$1 pid=$2 data=$3 samples before
    shift 3
    before=$(cpu "$pid")
    "$bin/examples/simulate" --nodes "$beside_nodes" --pods "$PODS" --containers "$CONTAINERS" \
        --ticks "$beside_ticks" --fast --json "$@" >"$scratch/beside.json" 2>"$scratch/progress" ||
        { cat "$scratch/beside.json" >&2; return 1; }
    # What is still in buffers is given time to leave them.
    sleep 15
    samples=$(reported samples "$scratch/beside.json")
    local used rss
    used=$(calc "($(cpu "$pid") - $before) * 1e6 / $samples")
    rss=$(memory "$pid" VmRSS)
    # Both others write what is in memory to disk when they are stopped, and so does the server.
    stop "$pid"
    printf '{"store": "%s", "samples": %s, "cpu_s_per_million": %s, "rss_mib": %s, "disk_bytes_per_sample": %s}\n' \
        "$name" "$samples" "$used" "$(calc "$rss / 1048576")" \
        "$(calc "$(disk_bytes "$data") / $samples")"
}

beside() {
    local port vm=${VICTORIA_METRICS:-victoria-metrics} prometheus=${PROMETHEUS:-prometheus}
    echo "beside: $beside_nodes nodes, $beside_ticks ticks, one store after the other" >&2
    serve "$(free_port)" --data-dir "$scratch/ours"
    beside_one kubemonitor "$server" "$scratch/ours" --server "$url"
    if command -v "$vm" >/dev/null; then
        port=$(free_port)
        "$vm" -storageDataPath "$scratch/vm" -httpListenAddr "127.0.0.1:$port" \
            -retentionPeriod 1 2>"$scratch/vm.log" &
        pids+=("$!")
        local pid=$!
        wait_for "http://127.0.0.1:$port/health"
        beside_one victoria-metrics "$pid" "$scratch/vm" \
            --remote-write "http://127.0.0.1:$port/api/v1/write"
    fi
    if command -v "$prometheus" >/dev/null; then
        port=$(free_port)
        printf 'global:\n  scrape_interval: 1h\nstorage:\n  tsdb:\n    out_of_order_time_window: 1h\n' \
            >"$scratch/prometheus.yml"
        "$prometheus" --config.file "$scratch/prometheus.yml" --web.enable-remote-write-receiver \
            --web.listen-address "127.0.0.1:$port" --storage.tsdb.path "$scratch/prometheus" \
            2>"$scratch/prometheus.log" &
        pids+=("$!")
        local pid=$!
        wait_for "http://127.0.0.1:$port/-/ready"
        beside_one prometheus "$pid" "$scratch/prometheus" \
            --remote-write "http://127.0.0.1:$port/api/v1/write"
    fi
}

"$bin/examples/simulate" --nodes 8 --ticks 720 --describe | tee "$out/data.txt" >&2
files=()
for name in "${scales[@]}"; do
    scale "$name"
    files+=("$out/scale-${name//\//-of-}.json")
done
if ((${#files[@]} > 0)); then
    table "${files[@]}" | tee "$out/scales.md"
fi
if ((beside)); then
    beside | tee "$out/beside.jsonl"
fi
