# kubemonitor's figures beside the kubelets'. Input: {before, after, nodes, pods, namespaces, deployments,
# own_pods, own}; `before` and `after` are the kubelets' summaries, a minute apart. Each function lists
# {name, kubelet, kubemonitor, close}.
#
# kubelet's `usageNanoCores` is a rate over its own last ten seconds or more. `usageCoreNanoSeconds` is
# exact: two of them, and the time between, give the CPU of that time.
include "compare";

def summary_pods: [.[].pods[]? | {key: .podRef.uid, value: .}] | from_entries;
def summary_nodes: [.[].node | {key: .nodeName, value: .}] | from_entries;

# The same entity before and after: from when to when, and the CPU in between, in millicores.
def span($before; $after):
  select($before.cpu.usageCoreNanoSeconds and $after.cpu.usageCoreNanoSeconds)
  | {from: ($before.cpu.time | seconds), to: ($after.cpu.time | seconds)}
  | select(.to - .from >= 30)
  | .cpu = ($after.cpu.usageCoreNanoSeconds - $before.cpu.usageCoreNanoSeconds) / (.to - .from) / 1e6;

def cpu_row($name; $theirs; $ours):
  {name: $name, kubelet: $theirs, kubemonitor: $ours, close: cpu_is_close($theirs; $ours)};

def memory_row($name; $theirs; $ours):
  {name: $name, kubelet: ($theirs / 1048576), kubemonitor: ($ours | if . then . / 1048576 else . end),
   close: memory_is_close($theirs; $ours)};

def pod_name: "\(.podRef.namespace)/\(.podRef.name)";

# Pods that were there all the time, as {before, after, span, ours}.
def lasting_pods:
  (.before | summary_pods) as $before | (.after | summary_pods) as $after
  | ([.pods[] | {key: .uid, value: .samples}] | from_entries) as $ours
  | [$after | keys[] | select($before[.]) as $uid
      | {before: $before[$uid], after: $after[$uid], ours: ($ours[$uid] // [])}
      | .span = span(.before; .after)];

def node_cpu:
  (.before | summary_nodes) as $before | (.after | summary_nodes) as $after
  | [.nodes[] | .node_name as $name | select($after[$name])
      | span($before[$name]; $after[$name]) as $span
      | cpu_row($name; $span.cpu; .samples | mean_cpu($span.from; $span.to))];

def node_memory:
  (.after | summary_nodes) as $after
  | [.nodes[] | $after[.node_name].memory as $theirs | select($theirs.workingSetBytes)
      | memory_row(.node_name; $theirs.workingSetBytes;
          .samples | memory_at($theirs.time | seconds; $theirs.workingSetBytes; .memory_working_set_bytes))];

def pod_cpu:
  [lasting_pods[] | .span as $span
    | cpu_row(.after | pod_name; $span.cpu; .ours | mean_cpu($span.from; $span.to))];

def pod_memory:
  [lasting_pods[] | .after.memory as $theirs | select($theirs.workingSetBytes)
    | memory_row(.after | pod_name; $theirs.workingSetBytes;
        .ours | memory_at($theirs.time | seconds; $theirs.workingSetBytes; .memory_used_bytes))];

# The sum over pods, beside the group that they make. Their kubelets looked at each at another moment;
# the use of the suite's own pods is steady. Nothing where a summary lacks one of them, as kubelet's now and
# then does: there is no such sum to compare with then.
def sum_of($uids):
  [lasting_pods[] | select(.after.podRef.uid | IN($uids[]))]
  | select(length == ($uids | length) and length > 0)
  | {cpu: (map(.span.cpu) | add),
     from: (map(.span.from) | add / length),
     to: (map(.span.to) | add / length),
     memory: (map(.after.memory.workingSetBytes) | add),
     at: (map(.after.memory.time | seconds) | add / length)};

def group_cpu($name; $uids; $samples):
  [sum_of($uids) as $sum | cpu_row($name; $sum.cpu; $samples | mean_cpu($sum.from; $sum.to))];

def group_memory($name; $uids; $samples):
  [sum_of($uids) as $sum
    | memory_row($name; $sum.memory; $samples | memory_at($sum.at; $sum.memory; .memory_used_bytes))];

def uids($app): [.own_pods.items[] | select($app == null or .metadata.labels.app == $app).metadata.uid];
def namespace_samples: .own as $own | [.namespaces[] | select(.namespace == $own).samples] | add // [];
def deployment_samples: [.deployments[] | select(.deployment == "spread").samples] | add // [];

def namespace_cpu: group_cpu(.own; uids(null); namespace_samples);
def namespace_memory: group_memory(.own; uids(null); namespace_samples);
def deployment_cpu: group_cpu("spread"; uids("spread"); deployment_samples);
def deployment_memory: group_memory("spread"; uids("spread"); deployment_samples);
