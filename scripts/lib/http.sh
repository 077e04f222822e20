# shellcheck shell=bash disable=SC2034,SC2154 # variables are shared between the files of lib
# Requests to a kubemonitor server. Needs $work (cleanup.sh: make_work). To be sourced.

# Never through a proxy to this machine.
http_options=(--silent --max-time 20
  --noproxy "localhost,127.0.0.1,::1${NO_PROXY:+,$NO_PROXY}")

# ask OPTION... URL: one request. Sets http_status (000 where nobody answered), http_ms, http_type and
# http_error, and leaves the answer in $work/body and its headers in $work/headers.
ask() {
  local line
  : >"$work/body"
  : >"$work/headers"
  http_error=''
  line=$(curl "${http_options[@]}" --show-error --output "$work/body" --dump-header "$work/headers" \
    --write-out '%{http_code} %{time_total} %{content_type}' "$@" 2>"$work/http_error") ||
    http_error=$(<"$work/http_error")
  read -r http_status http_ms http_type <<<"$line" || true
  http_status=${http_status:-000} http_type=${http_type:-}
  # curl says seconds with six decimals.
  http_ms=${http_ms:-0.000000}
  http_ms=$((10#${http_ms/./} / 1000))
}

# header NAME: of the last answer.
header() {
  awk -v name="${1,,}" 'BEGIN {FS = ": "} tolower($1) == name {sub(/\r$/, ""); print substr($0, length(name) + 3)}' \
    "$work/headers"
}

# fetch_json URL FILTER [JQ OPTION...]: what the filter makes of the answer; fails without an answer.
fetch_json() {
  local url=$1 filter=$2
  shift 2
  curl "${http_options[@]}" --fail "$url" | jq --raw-output "$@" "$filter"
}

# answers URL
answers() { curl "${http_options[@]}" --fail --output /dev/null "$1" 2>/dev/null; }

percent_encoded() { jq --null-input --raw-output --arg text "$1" '$text | @uri'; }

# port_in_use PORT: of this machine.
port_in_use() { (exec 3<>"/dev/tcp/127.0.0.1/$1") 2>/dev/null; }
