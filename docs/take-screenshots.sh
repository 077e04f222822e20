#!/usr/bin/env bash
# Takes the screenshots in docs/images from a running server: the dashboard's pages and Swagger UI.
set -euo pipefail

usage() {
  cat <<'TEXT'
Usage: docs/take-screenshots.sh [OPTIONS]

Writes docs/images/*.png: the dashboard (overview, nodes, pods, one pod; the overview dark too) and
Swagger UI, from the server at --url. Without --url it builds and starts `kubemonitor up` on a free
port, waits until there is something to see, and stops it at the end. Needs Chromium, curl and jq.

  --url URL         the server [default: one that is started and stopped here]
  --pod NS/NAME     the pod to show [default: the one that uses the most CPU]
  --out DIR         where the images go [default: docs/images]
  --wait SECONDS    how long a server that is started here measures first [default: 60]
  --chromium PATH   the browser [default: the first of chromium, chromium-browser, google-chrome]
  --help            this text

KUBEMONITOR=/path/to/kubemonitor is started instead of one that is built.
TEXT
}

die() {
  printf 'error: %s\n' "$*" >&2
  exit 1
}

step() { printf '== %s\n' "$*"; }

browser() {
  local name
  for name in chromium chromium-browser google-chrome; do
    if command -v "$name"; then return; fi
  done
  die "there is no Chromium here; on Debian or Ubuntu: apt-get install chromium"
}

cd "$(dirname "${BASH_SOURCE[0]}")/.."
url='' pod='' out=docs/images wait=60 chromium=''
while (($#)); do
  case $1 in
    -h | --help)
      usage
      exit
      ;;
    --url | --pod | --out | --wait | --chromium) [[ -n ${2:-} ]] || die "$1 needs a value; see --help" ;;&
    --url) url=${2%/} ;;
    --pod) pod=$2 ;;
    --out) out=$2 ;;
    --wait) wait=$2 ;;
    --chromium) chromium=$2 ;;
    *) die "unknown option $1; see --help" ;;
  esac
  shift 2
done
[[ $wait =~ ^[0-9]+$ ]] || die "--wait $wait: give whole seconds"
for tool in curl jq; do
  command -v "$tool" >/dev/null || die "$tool is needed"
done
chromium=${chromium:-$(browser)}

work=$(mktemp -d)
server=''
clean_up() {
  if [[ -n $server ]]; then
    kill "$server" 2>/dev/null || true
    wait "$server" 2>/dev/null || true
  fi
  rm -rf "$work"
}
trap clean_up EXIT

start_server() {
  local program=${KUBEMONITOR:-target/quick/kubemonitor}
  if [[ -z ${KUBEMONITOR:-} ]]; then
    step "building kubemonitor"
    cargo build --quiet --profile quick --locked --package kubemonitor
  fi
  step "starting kubemonitor up; it measures for $wait s first"
  "$program" up --port 0 --interval 1s >"$work/said" 2>"$work/log" &
  server=$!
  local tries
  for ((tries = 0; tries < 100; tries++)); do
    url=$(sed -n 's|^ *Dashboard *\(http://[^/]*\)/.*|\1|p' "$work/said")
    [[ -z $url ]] || break
    kill -0 "$server" 2>/dev/null || die "kubemonitor has ended: $(cat "$work/log")"
    sleep 0.1
  done
  [[ -n $url ]] || die "kubemonitor does not say where it is"
  sleep "$wait"
}

# shot NAME SIZE ADDRESS OPTIONS...: one page. A new profile each time, so that none sees another's
# cache; the virtual time lets the page fetch and draw before the picture is taken. It stands still
# while an answer is on its way, so one that never comes is what the second attempt is for.
shot() {
  local image=$out/$1.png attempt
  for attempt in 1 2; do
    rm -f "$image"
    # Only this server is to be reached, so what a browser would look for elsewhere is off.
    timeout 60 "$chromium" --headless --no-sandbox --disable-gpu --disable-quic --no-first-run \
      --disable-background-networking --disable-component-update --disable-sync --hide-scrollbars \
      --user-data-dir="$work/profile-$1-$attempt" --window-size="$2" --virtual-time-budget=20000 \
      --screenshot="$image" "${@:4}" "$url$3" >"$work/browser" 2>&1 || true
    if [[ -s $image ]]; then
      printf '%s\n' "$image"
      return
    fi
  done
  die "no picture of $url$3: $(tail -n 3 "$work/browser")"
}

[[ -n $url ]] || start_server
curl --fail --silent --show-error --max-time 10 "$url/ready" >/dev/null || die "$url is not ready"
mkdir -p "$out"
if [[ -z $pod ]]; then
  pod=$(curl --fail --silent --max-time 10 "$url/api/pods?sort=-cpu&limit=1" |
    jq --raw-output '.[0] // empty | if .namespace then "\(.namespace)/\(.pod_name)" else .uid end')
fi

step "taking pictures of $url"
shot dashboard-overview 1440,1080 /
shot dashboard-overview-dark 1440,1080 / --blink-settings=preferredColorScheme=0
shot dashboard-nodes 1440,700 '/#/nodes'
shot dashboard-pods 1440,900 '/#/pods'
if [[ -n $pod ]]; then
  shot dashboard-pod 1440,940 "/#/pods/$pod"
else
  echo "skipped: no pod is running there"
fi
shot swagger-ui 1440,1400 /docs
echo "ok: screenshots are in $out"
