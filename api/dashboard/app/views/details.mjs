// The pages of a node, a namespace, a workload and a unit.

import { apiPath } from "../api.mjs";
import { badge, link, silence } from "../cells.mjs";
import { SPARK_FIELDS, nodeState, podColumns, unitColumns, workloadColumns } from "../columns.mjs";
import { detailView } from "../detail-view.mjs";
import { noPods, noUnits, noWorkloads } from "../empty.mjs";
import { POD, UNIT, WORKLOAD, namespacePage, nodePage } from "../entities.mjs";
import { bytes, count, cpu, number, percent, plural, share } from "../format.mjs";
import { selfTurning } from "../paged-table.mjs";

/** How much is used, and how much of what there is. */
const ofWhole = (used, whole, format) => {
  const inUse = share(used, whole);
  return inUse === null ? format(used) : `${format(used)} of ${format(whole)} (${percent(inUse)})`;
};

/** Asks for the samples of one row. */
const oneOf =
  ({ client }) =>
  (path, parameters, signal) =>
    client.list(path, parameters, signal).then(({ items }) => items);

/** The pods below a path, as a table. */
export function podTable(context, path, without) {
  return selfTurning(
    {
      caption: "Pods",
      entity: POD,
      sort: "-cpu",
      sparkFields: SPARK_FIELDS,
      columns: (sparks) => podColumns(sparks, without),
      empty: noPods,
      one: oneOf(context),
      list: (parameters, signal) => context.client.list(path, parameters, signal),
    },
    context.reload,
  );
}

export function node(context, { node: name }) {
  const units = selfTurning(
    {
      caption: "Units",
      entity: UNIT,
      sort: "-cpu",
      sparkFields: SPARK_FIELDS,
      columns: (sparks) => unitColumns(sparks, { withNode: false }),
      empty: noUnits,
      one: oneOf(context),
      list: (parameters, signal) =>
        context.client.list(apiPath("nodes", name, "units"), parameters, signal),
    },
    context.reload,
  );
  return detailView(context, {
    kind: "Node",
    title: name,
    trail: [[["nodes"], "Nodes"]],
    path: apiPath("nodes", name),
    charts: ["cpu", "nodeMemory", "network", "disk", "load"],
    badges: nodeState,
    details: (newest) => [
      ["CPU", ofWhole(newest.cpu_millicores, newest.cpu_capacity_millicores, cpu)],
      ["Memory", ofWhole(newest.memory_used_bytes, newest.memory_total_bytes, bytes)],
      ["Available", bytes(newest.memory_available_bytes)],
      ["Load", [newest.load1, newest.load5, newest.load15].map(number).join("  ")],
      ["Pods", count(newest.pod_count)],
      ["Containers", count(newest.container_count)],
    ],
    tables: [
      { heading: "Pods", table: podTable(context, apiPath("nodes", name, "pods"), ["node"]) },
      { heading: "Units", note: "What runs outside Kubernetes.", table: units },
    ],
  });
}

/** From how many of their nodes the sums over pods are, where not from all. */
const reporting = ({ nodes_reporting: some, nodes_total: all, stale, timestamp }) => {
  if (stale) return silence(timestamp);
  return some < all ? badge(`from ${count(some)} of ${plural(all, "node")}`, "warn") : null;
};

/** What groups of pods have in common. */
const groupDetails = (newest) => [
  ["CPU", cpu(newest.cpu_millicores)],
  ["CPU requested", cpu(newest.cpu_request_millicores)],
  ["CPU limit", cpu(newest.cpu_limit_millicores)],
  ["Memory", bytes(newest.memory_used_bytes)],
  ["Memory requested", bytes(newest.memory_request_bytes)],
  ["Memory limit", bytes(newest.memory_limit_bytes)],
  ["Pods", count(newest.pod_count)],
];

const GROUP_CHARTS = ["cpu", "sumMemory", "network", "disk", "pods"];

export function namespace(context, { namespace: name }) {
  const workloads = selfTurning(
    {
      caption: "Workloads",
      entity: WORKLOAD,
      sort: "-cpu",
      sparkFields: SPARK_FIELDS,
      columns: (sparks) => workloadColumns(sparks, { withNamespace: false }),
      empty: noWorkloads,
      one: oneOf(context),
      list: (parameters, signal) =>
        context.client.list(apiPath("namespaces", name, "workloads"), parameters, signal),
    },
    context.reload,
  );
  return detailView(context, {
    kind: "Namespace",
    title: name,
    trail: [[["namespaces"], "Namespaces"]],
    path: apiPath("namespaces", name),
    charts: GROUP_CHARTS,
    badges: reporting,
    details: groupDetails,
    tables: [
      { heading: "Workloads", table: workloads },
      {
        heading: "Pods",
        table: podTable(context, apiPath("namespaces", name, "pods"), ["namespace"]),
      },
    ],
  });
}

export function workload(context, { namespace: ns, kind, name }) {
  const path = apiPath("namespaces", ns, "workloads", kind, name);
  return detailView(context, {
    kind,
    title: name,
    trail: [
      [namespacePage(ns), ns],
      [["workloads"], "Workloads"],
    ],
    path,
    charts: GROUP_CHARTS,
    badges: reporting,
    details: (newest) => [["Namespace", link(namespacePage(ns), ns)], ...groupDetails(newest)],
    tables: [
      { heading: "Pods", table: podTable(context, `${path}/pods`, ["namespace", "workload"]) },
    ],
  });
}

export function unit(context, { node: on, unit: name }) {
  return detailView(context, {
    kind: "Unit",
    title: name,
    trail: [
      [nodePage(on), on],
      [["units"], "Units"],
    ],
    path: apiPath("nodes", on, "units", name),
    charts: ["cpu", "throttling", "memory", "network", "disk"],
    details: (newest) => [
      ["Node", link(nodePage(on), on)],
      ["CPU", ofWhole(newest.cpu_millicores, newest.cpu_limit_millicores, cpu)],
      ["Memory", ofWhole(newest.memory_used_bytes, newest.memory_limit_bytes, bytes)],
      ["OOM kills", count(newest.oom_kills)],
    ],
  });
}
