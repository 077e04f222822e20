// Workloads: of one namespace, or of the busiest ones. The API lists them namespace by namespace,
// so those of all have to be gathered.

import { apiPath } from "../api.mjs";
import { SPARK_FIELDS, workloadColumns } from "../columns.mjs";
import { noWorkloads, noneFits } from "../empty.mjs";
import { WORKLOAD } from "../entities.mjs";
import { listView } from "../list-view.mjs";
import { PAGE_ROWS } from "../paged-table.mjs";
import { namespaceFilter } from "./lists.mjs";

/** So many namespaces are asked one after another. A cluster may have thousands. */
export const MOST_NAMESPACES = 20;

const MEASURES = {
  cpu: (row) => row.cpu_millicores,
  memory: (row) => row.memory_used_bytes,
  network: (row) => both(row.network_rx_bytes_per_second, row.network_tx_bytes_per_second),
  disk: (row) => both(row.disk_read_bytes_per_second, row.disk_write_bytes_per_second),
};

const both = (one, other) => (one === null && other === null ? null : (one ?? 0) + (other ?? 0));

/** Puts rows in order as the API does: by name, or by a measure with the unknown last. */
export function ordered(rows, sort) {
  const [by, way] = sort.startsWith("-") ? [sort.slice(1), -1] : [sort, 1];
  const byName = (one, other) =>
    compare(WORKLOAD.name(one), WORKLOAD.name(other)) ||
    compare(WORKLOAD.key(one), WORKLOAD.key(other));
  const measure = MEASURES[by];
  if (!measure) return [...rows].sort((one, other) => way * byName(one, other));
  return [...rows].sort((one, other) => {
    const [a, b] = [measure(one), measure(other)];
    if (a === null || b === null) return (a === null) - (b === null) || byName(one, other);
    return way * (a - b) || byName(one, other);
  });
}

const compare = (one, other) => (one < other ? -1 : Number(one > other));

/** The workloads of the busiest namespaces, as one page. Their past would be as many requests again. */
async function gathered(client, kind, parameters, signal) {
  if (parameters.window !== undefined) return { items: [], next: null };
  const namespaces = await client.list(
    apiPath("namespaces"),
    { sort: "-cpu", limit: MOST_NAMESPACES },
    signal,
  );
  const rows = [];
  for (const { namespace } of namespaces.items) {
    const { items } = await client.list(apiPath("namespaces", namespace, kind), parameters, signal);
    rows.push(...items);
  }
  return { items: ordered(rows, parameters.sort).slice(0, PAGE_ROWS), next: null };
}

export function workloads(context) {
  const { client } = context;
  return listView(context, {
    title: "Workloads",
    intro: `Without a namespace: those of the ${MOST_NAMESPACES} busiest namespaces.`,
    entity: WORKLOAD,
    sort: "-cpu",
    sparkFields: SPARK_FIELDS,
    columns: (sparks) => workloadColumns(sparks, { withNamespace: true }),
    empty: noWorkloads,
    filters: [
      namespaceFilter(client),
      {
        name: "kind",
        label: "Kind",
        options: [
          ["", "all kinds"],
          ["deployments", "Deployments"],
        ],
      },
    ],
    filtered: noneFits,
    list({ namespace, kind: chosen }, parameters, signal) {
      const kind = chosen === "deployments" ? "deployments" : "workloads";
      if (namespace) return client.list(apiPath("namespaces", namespace, kind), parameters, signal);
      return gathered(client, kind, parameters, signal);
    },
  });
}
