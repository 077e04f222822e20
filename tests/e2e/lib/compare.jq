# Times, and what counts as the same.

# RFC 3339 as seconds since 1970, with their fraction.
def seconds:
  capture("^(?<whole>[^.Z]+)(?<part>[.][0-9]+)?Z$")
  | (.whole + "Z" | fromdateiso8601) + ("0" + (.part // "") | tonumber);

def cpu_is_close($theirs; $ours):
  $ours != null and ($ours - $theirs | fabs) <= ([10, 0.10 * $theirs] | max);

# A page cache of a few pages comes and goes between two looks: what is below 4 MiB may differ by a quarter MiB.
def memory_is_close($theirs; $ours):
  $ours != null and ($ours - $theirs | fabs) <= ([262144, 0.05 * $theirs] | max);

# Samples of one entity: the CPU used from $from to $to, in millicores. Each sample tells of the time since
# the one before it. null where the samples do not cover that time.
def mean_cpu($from; $to):
  map({at: (.timestamp | seconds), cpu: .cpu_millicores})
  | [range(1; length) as $i
      | {from: ([.[$i - 1].at, $from] | max), to: ([.[$i].at, $to] | min), cpu: .[$i].cpu}
      | select(.to > .from and .cpu != null)]
  | (map(.to - .from) | add // 0) as $covered
  | if $covered < 0.9 * ($to - $from) then null
    else (map((.to - .from) * .cpu) | add) / $covered end;

# Samples of one entity: what was between the sample before $at and the one after it, and of that the
# nearest to $theirs. Memory moves, and nobody looks at the same moment.
def memory_at($at; $theirs; value):
  map({at: (.timestamp | seconds), value: value} | select(.value != null))
  | [(map(select(.at <= $at)) | last), (map(select(.at >= $at + 1)) | first // last)]
  | map(.value // empty)
  | if . == [] then null else [[$theirs, min] | max, max] | min end;

# A quantity as Kubernetes writes it: "12345678n", "187m", "1", "45219Ki".
def quantity:
  capture("^(?<number>[0-9.]+)(?<unit>[a-zA-Z]*)$")
  | (.number | tonumber) * ({"": 1, n: 1e-9, u: 1e-6, m: 1e-3, k: 1e3, Ki: 1024, Mi: 1048576, Gi: 1073741824}[.unit]);
