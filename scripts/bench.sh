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
    awk -v OFMT=%.6g "BEGIN { print ($1) }"
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

# Starts the server; sets url, server and started (seconds until it was up).
serve() {
    local port begun
    port=$(free_port)
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
            printf "%.2f %.2f", seconds[int((NR + 1) * 0.5)], seconds[int(NR * 0.99 + 0.999)]
        }'
}

queries=(pod_5m namespaces_5m pods_by_cpu pods_all)

# Measures one scale; writes its JSON, and a line of the table.
scale() {
    local name=$1 nodes flags=() generator=() load rows=() path p50 p99
    nodes=$(calc "int($FULL_NODES * $name)")
    load=$(cut -d' ' -f1-3 /proc/loadavg)
    local data=$scratch/data
    rm -rf "$data"
    ((disk)) && flags+=(--data-dir "$data")
    local shape=(--nodes "$nodes" --pods "$PODS" --containers "$CONTAINERS" --json)
    if ((names)); then
        rm -f "$scratch/kubeconfig"
        "$bin/examples/simulate" "${shape[@]}" --server http://127.0.0.1:9 \
            --kubernetes-api "$scratch/kubeconfig" --serve-names 2>/dev/null &
        generator=("$!")
        pids+=("$!")
        until [[ -s $scratch/kubeconfig ]]; do sleep 0.1; done
        flags+=(--kubeconfig "$scratch/kubeconfig")
    fi
    serve "${flags[@]}"
    if ((names)); then
        wait_for "$url/ready" 300
        # Joining is not ingesting.
        sleep 3
    fi
    local empty_rss empty_cpu
    empty_rss=$(memory "$server" VmRSS)
    empty_cpu=$(cpu "$server")

    echo "$name: $nodes nodes, $history ticks as fast as possible" >&2
    "$bin/examples/simulate" "${shape[@]}" --server "$url" --ticks "$history" --fast \
        >"$scratch/fast.json"
    local fast_cpu fast_samples rss store_bytes samples
    fast_cpu=$(calc "$(cpu "$server") - $empty_cpu")
    fast_samples=$(reported samples "$scratch/fast.json")
    rss=$(memory "$server" VmRSS)
    store_bytes=$(metric store_bytes)
    samples=$(metric store_samples)
    local on_disk=0
    if ((disk)); then
        sleep 2
        on_disk=$(disk_bytes "$data")
    fi

    echo "$name: $ticks ticks by the clock, with queries" >&2
    local before
    before=$(cpu "$server")
    "$bin/examples/simulate" "${shape[@]}" --server "$url" --ticks "$ticks" \
        --continue-at "$history" >"$scratch/clock.json" &
    local sender=$!
    pids+=("$sender")
    sleep 6
    local quiet_begun quiet_cpu
    quiet_begun=$(now) quiet_cpu=$(cpu "$server")
    sleep 20
    local cores
    cores=$(calc "($(cpu "$server") - $quiet_cpu) / ($(now) - $quiet_begun)")
    local pod
    pod=$(curl -fsS "$url/api/pods?limit=1&sort=-cpu" | grep -o '"uid":"[^"]*"' | cut -d'"' -f4)
    for query in "${queries[@]}"; do
        case $query in
            pod_5m) path="/api/pods/$pod?window=300" ;;
            namespaces_5m) path="/api/namespaces?window=300" ;;
            pods_by_cpu) path="/api/pods?sort=-cpu&limit=500" ;;
            pods_all) path="/api/pods" ;;
        esac
        local count=200
        [[ $query == pods_all ]] && count=5
        read -r p50 p99 < <(latency "$path" "$count"; echo)
        rows+=("\"${query}_p50_ms\": $p50, \"${query}_p99_ms\": $p99")
    done
    wait "$sender" || echo "bench.sh: some frames were not taken" >&2
    local restart_clean=null restart_killed=null
    if ((disk)); then
        kill -KILL "$server"
        wait "$server" 2>/dev/null || true
        serve "${flags[@]}"
        restart_killed=$started
        stop "$server"
        serve "${flags[@]}"
        restart_clean=$started
    fi
    local peak
    peak=$(memory "$server" VmHWM)
    stop "$server"
    ((${#generator[@]} == 0)) || stop "${generator[0]}"

    cat >"$out/scale-${name//\//-of-}.json" <<JSON
{
  "scale": "$name", "nodes": $nodes, "pods": $((nodes * PODS)), "load_before": "$load",
  "samples": $fast_samples, "samples_held": $samples,
  "cpu_s_per_million": $(calc "$fast_cpu * 1e6 / $fast_samples"),
  "memory_bytes_per_sample": $(calc "($rss - $empty_rss) / $samples"),
  "store_bytes_per_sample": $(calc "$store_bytes / $samples"),
  "disk_bytes_per_sample": $(calc "$on_disk / $fast_samples"),
  "rss_mib": $(calc "$rss / 1048576"), "rss_peak_after_restart_mib": $(calc "$peak / 1048576"),
  "real_time_cores": $cores,
  "ack_p50_ms": $(reported p50_ms "$scratch/clock.json" acknowledgement),
  "ack_p99_ms": $(reported p99_ms "$scratch/clock.json" acknowledgement),
  $(printf '%s,\n  ' "${rows[@]}")
  "restart_after_kill_s": $restart_killed, "restart_after_stop_s": $restart_clean
}
JSON
}
