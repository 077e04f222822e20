// The columns of each table. All of them show CPU, memory, network and disk in the same way.

import { badge, link, nameLink, silence, traffic, usage } from "./cells.mjs";
import { h } from "./dom.mjs";
import {
  NAMESPACE,
  NODE,
  POD,
  UNIT,
  WORKLOAD,
  namespacePage,
  nodePage,
  workloadPage,
} from "./entities.mjs";
import { ABSENT, bytes, count, cpu, isKnown, number, plural } from "./format.mjs";

/** The fields that rows have small lines of. */
export const SPARK_FIELDS = ["cpu_millicores", "memory_used_bytes"];

const name = (label, entity) => ({
  label,
  sort: "name",
  kind: "name",
  cell: (row) => nameLink(entity.page(row), entity.name(row)),
});

const figure = (label, field, format = count, kind = "figure") => ({
  label,
  kind,
  cell: (row) => h("span", { class: row[field] > 0 ? null : "little" }, format(row[field])),
});

const of = (row, limit, request) => {
  if (isKnown(row[limit])) return [row[limit], "limit"];
  // Without a limit, what was asked for is the measure.
  return [row[request], "request"];
};

const cpuColumn = (sparks) => ({
  label: "CPU",
  sort: "cpu",
  kind: "usage",
  cell(row) {
    const [whole, what] = isKnown(row.cpu_capacity_millicores)
      ? [row.cpu_capacity_millicores, "node"]
      : of(row, "cpu_limit_millicores", "cpu_request_millicores");
    const [used, text] = [row.cpu_millicores, cpu(row.cpu_millicores)];
    return usage({
      text,
      used,
      whole,
      of: what,
      line: sparks?.line(row, "cpu_millicores"),
      color: "cpu",
    });
  },
});

const memoryColumn = (sparks) => ({
  label: "Memory",
  sort: "memory",
  kind: "usage",
  cell(row) {
    const [whole, what] = isKnown(row.memory_total_bytes)
      ? [row.memory_total_bytes, "node"]
      : of(row, "memory_limit_bytes", "memory_request_bytes");
    const [used, text] = [row.memory_used_bytes, bytes(row.memory_used_bytes)];
    return usage({
      text,
      used,
      whole,
      of: what,
      line: sparks?.line(row, "memory_used_bytes"),
      color: "memory",
    });
  },
});

const NETWORK = {
  label: "Network",
  sort: "network",
  kind: "traffic network",
  cell: (row) =>
    traffic(row.network_rx_bytes_per_second, row.network_tx_bytes_per_second, ["received", "sent"]),
};

const DISK = {
  label: "Disk",
  sort: "disk",
  kind: "traffic disk",
  cell: (row) =>
    traffic(row.disk_read_bytes_per_second, row.disk_write_bytes_per_second, ["read", "written"]),
};

const usageColumns = (sparks) => [cpuColumn(sparks), memoryColumn(sparks), NETWORK, DISK];

/** Whether a node can be relied on, in a word. */
export function nodeState({ ready, stale, timestamp }) {
  if (stale === true) return silence(timestamp);
  if (ready === false) return badge("not ready", "bad");
  return ready === true ? badge("ready", "good") : badge("reporting", "good");
}

/** The words for containers that cannot start, or not for long. */
const IS_TROUBLE = /BackOff|Err|Error|OOMKilled|Invalid|CannotRun|Evicted|Unschedulable|NodeLost/;

/** The phase of a pod, or what keeps it from running, in the colour of what it means. */
export function podState({ phase, ended, stale, timestamp, reason = null }) {
  if (stale) return silence(timestamp);
  if (reason !== null) {
    const tone = IS_TROUBLE.test(reason) ? "bad" : ended ? "plain" : "warn";
    return badge(reason, tone);
  }
  if (ended && (phase === null || phase === "Running")) return badge("ended");
  const tone =
    { Running: "good", Pending: "warn", Failed: "bad", Unknown: "bad" }[phase] ?? "plain";
  return phase === null ? h("span", { class: "little" }, ABSENT) : badge(phase, tone);
}

/** The same in a table, where nearly all pods run and only the others are to stand out. */
const phase = (row) =>
  row.phase === "Running" && !row.ended && !row.stale && !row.reason
    ? h("span", { class: "little" }, row.phase)
    : podState(row);

export const nodeColumns = (sparks) => [
  name("Node", NODE),
  { label: "State", kind: "state", cell: nodeState },
  ...usageColumns(sparks),
  figure("Load", "load1", number),
  figure("Pods", "pod_count"),
  figure("Containers", "container_count", count, "figure spare"),
];

const namespaceColumn = {
  label: "Namespace",
  kind: "name context",
  cell: (row) => nameLink(namespacePage(row.namespace), row.namespace),
};

const nodeColumn = {
  label: "Node",
  kind: "name context spare",
  cell: (row) => nameLink(nodePage(row.node_name), row.node_name),
};

const workloadColumn = {
  label: "Workload",
  kind: "name context spare",
  cell: (row) => [
    nameLink(workloadPage(row.namespace, row.workload_kind, row.workload_name), row.workload_name),
    row.workload_kind ? h("small", {}, row.workload_kind) : null,
  ],
};

/** Restarts, and beside them their most frequent cause. */
const restartsColumn = {
  label: "Restarts",
  kind: "figure",
  cell: (row) => [
    row.oom_kills > 0 ? badge(`${count(row.oom_kills)} OOM`, "bad") : null,
    h("span", { class: row.restarts > 0 ? null : "little" }, count(row.restarts)),
  ],
};

/** Columns of pods; `without` names those that would say the same in every row. */
export function podColumns(sparks, without = []) {
  const context = { namespace: namespaceColumn, node: nodeColumn, workload: workloadColumn };
  const shown = Object.keys(context).filter((column) => !without.includes(column));
  return [
    name("Pod", POD),
    { label: "Phase", kind: "state", cell: phase },
    ...shown.map((column) => context[column]),
    ...usageColumns(sparks),
    restartsColumn,
  ];
}

/** How many pods were measured, and from how many of their nodes where not from all. */
const measuredPods = {
  label: "Pods",
  kind: "figure",
  cell: (row) => [
    row.nodes_reporting < row.nodes_total
      ? h("small", { class: "of" }, `${row.nodes_reporting} of ${plural(row.nodes_total, "node")}`)
      : null,
    h("span", { class: row.pod_count > 0 ? null : "little" }, count(row.pod_count)),
  ],
};

export const namespaceColumns = (sparks) => [
  name("Namespace", NAMESPACE),
  ...usageColumns(sparks),
  measuredPods,
];

/** Columns of workloads; the namespace is left out where it is the same for all. */
export const workloadColumns = (sparks, { withNamespace }) => [
  name("Workload", WORKLOAD),
  { label: "Kind", kind: "state", cell: (row) => row.workload_kind ?? "Deployment" },
  ...(withNamespace ? [namespaceColumn] : []),
  ...usageColumns(sparks),
  measuredPods,
];

export const unitColumns = (sparks, { withNode }) => [
  name("Unit", UNIT),
  ...(withNode ? [{ ...nodeColumn, kind: "name context" }] : []),
  ...usageColumns(sparks),
  figure("OOM kills", "oom_kills"),
];

function containerState({ ended, stale, timestamp, container_id: id }) {
  if (stale) return silence(timestamp);
  if (!ended) return badge("running", "good");
  return id === null ? badge("not started", "warn") : badge("ended");
}

/** Columns of a pod's containers; `page(row)` is where a container's charts are. */
export const containerColumns = (sparks, page) => [
  { label: "Container", sort: "name", kind: "name", cell: (row) => link(...page(row)) },
  {
    label: "State",
    kind: "state",
    cell: (row) => [
      containerState(row),
      row.container_role === "app" ? null : h("small", {}, row.container_role ?? ""),
    ],
  },
  cpuColumn(sparks),
  memoryColumn(sparks),
  DISK,
  restartsColumn,
  {
    label: "Image",
    kind: "image spare",
    cell: (row) => h("span", { title: row.image ?? "" }, row.image ?? ABSENT),
  },
];
