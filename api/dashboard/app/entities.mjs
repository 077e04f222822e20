// What there is in a cluster: what tells each thing from others, where its page is, and whether its
// figures are of now.

import { apiPath } from "./api.mjs";

/** A collector that fell silent leaves its last figures behind. After so long they are of the past. */
const SILENCE_MS = 60_000;

const isSilent = (row, newest) => Date.parse(newest) - Date.parse(row.timestamp) > SILENCE_MS;

export const NODE = {
  key: (row) => row.node_name,
  name: (row) => row.node_name,
  path: (row) => apiPath("nodes", row.node_name),
  page: (row) => nodePage(row.node_name),
  isPast: (row) => row.stale === true,
};

export const POD = {
  // A name may come back, a UID never does.
  key: (row) => row.uid,
  name: (row) => row.pod_name,
  path: (row) => apiPath("pods", row.uid),
  page: (row) =>
    row.namespace === null ? ["pods", row.pod_name] : ["pods", row.namespace, row.pod_name],
  isPast: (row, newest) => row.ended === true || row.stale === true || isSilent(row, newest),
};

export const CONTAINER = {
  key: (row) => `${row.container_name} ${row.container_id}`,
  name: (row) => row.container_name,
  isPast: (row, newest) => row.ended === true || row.stale === true || isSilent(row, newest),
};

export const NAMESPACE = {
  key: (row) => row.namespace,
  name: (row) => row.namespace,
  path: (row) => apiPath("namespaces", row.namespace),
  page: (row) => namespacePage(row.namespace),
  isPast: (row) => row.stale === true,
};

export const WORKLOAD = {
  key: (row) => [row.namespace, kindOf(row), nameOf(row)].join("/"),
  name: nameOf,
  path: (row) => apiPath("namespaces", row.namespace, "workloads", kindOf(row), nameOf(row)),
  page: (row) => workloadPage(row.namespace, kindOf(row), nameOf(row)),
  isPast: (row) => row.stale === true,
};

export const UNIT = {
  key: (row) => `${row.node_name}/${row.unit_name}`,
  name: (row) => row.unit_name,
  path: (row) => apiPath("nodes", row.node_name, "units", row.unit_name),
  page: (row) => ["nodes", row.node_name, "units", row.unit_name],
  isPast: isSilent,
};

/** The page of a node; null for none. */
export function nodePage(name) {
  return name === null ? null : ["nodes", name];
}

/** The page of a namespace; null for none. */
export function namespacePage(name) {
  return name === null ? null : ["namespaces", name];
}

/** The page of a workload; null for none. */
export function workloadPage(namespace, kind, name) {
  return namespace === null || kind === null || name === null
    ? null
    : ["workloads", namespace, kind, name];
}

// Lists of Deployments have their own field for the name, and no kind.
function nameOf(row) {
  return row.workload_name ?? row.deployment;
}

function kindOf(row) {
  return row.workload_kind ?? "Deployment";
}
