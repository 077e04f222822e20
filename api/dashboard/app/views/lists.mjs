// The pages that are one list each.

import { apiPath } from "../api.mjs";
import {
  SPARK_FIELDS,
  namespaceColumns,
  nodeColumns,
  podColumns,
  unitColumns,
} from "../columns.mjs";
import { noNamespaces, noNodes, noPods, noUnits, noneFits } from "../empty.mjs";
import { NAMESPACE, NODE, POD, UNIT } from "../entities.mjs";
import { listView } from "../list-view.mjs";

/** A filter by namespace that knows which there are, the busiest first. */
export const namespaceFilter = (client) => ({
  name: "namespace",
  label: "Namespace",
  placeholder: "all",
  suggest: (parameters, signal) =>
    client.list(apiPath("namespaces"), { ...parameters, sort: "-cpu" }, signal),
  suggested: NAMESPACE.name,
});

const nodeFilter = (client) => ({
  name: "node",
  label: "Node",
  placeholder: "all",
  suggest: (parameters, signal) =>
    client.list(apiPath("nodes"), { ...parameters, sort: "-cpu" }, signal),
  suggested: NODE.name,
});

const labelFilter = {
  name: "labelSelector",
  label: "Labels",
  placeholder: "app=web,tier!=cache",
};

const phaseFilter = {
  name: "phase",
  label: "Phase",
  options: [
    ["", "running"],
    ["all", "all"],
    ...["Pending", "Succeeded", "Failed", "Unknown"].map((phase) => [phase, phase]),
  ],
};

export function nodes(context) {
  return listView(context, {
    title: "Nodes",
    entity: NODE,
    sort: "name",
    sparkFields: SPARK_FIELDS,
    columns: nodeColumns,
    empty: noNodes,
    list: (_, parameters, signal) => context.client.list(apiPath("nodes"), parameters, signal),
  });
}

export function pods(context) {
  const { client } = context;
  return listView(context, {
    title: "Pods",
    entity: POD,
    sort: "-cpu",
    sparkFields: SPARK_FIELDS,
    columns: podColumns,
    empty: noPods,
    filtered: noneFits,
    filters: [namespaceFilter(client), nodeFilter(client), labelFilter, phaseFilter],
    list({ namespace, node, labelSelector, phase }, parameters, signal) {
      return client.list(
        apiPath("pods"),
        { namespace, node, labelSelector, phase, ...parameters },
        signal,
      );
    },
  });
}

export function namespaces(context) {
  return listView(context, {
    title: "Namespaces",
    entity: NAMESPACE,
    sort: "-cpu",
    sparkFields: SPARK_FIELDS,
    columns: namespaceColumns,
    empty: noNamespaces,
    list: (_, parameters, signal) => context.client.list(apiPath("namespaces"), parameters, signal),
  });
}

export function units(context) {
  const { client } = context;
  return listView(context, {
    title: "Units",
    intro: "What runs outside Kubernetes: systemd services and plain containers.",
    entity: UNIT,
    sort: "-cpu",
    sparkFields: SPARK_FIELDS,
    columns: (sparks) => unitColumns(sparks, { withNode: true }),
    empty: noUnits,
    filtered: noneFits,
    filters: [nodeFilter(client)],
    list({ node }, parameters, signal) {
      return client.list(
        node ? apiPath("nodes", node, "units") : apiPath("units"),
        parameters,
        signal,
      );
    },
  });
}
