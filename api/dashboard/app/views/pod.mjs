// The page of a pod: the pod as a whole, or one of its containers in the same charts.

import { apiPath } from "../api.mjs";
import { badge, link } from "../cells.mjs";
import { SPARK_FIELDS, containerColumns, podState } from "../columns.mjs";
import { detailView } from "../detail-view.mjs";
import { h } from "../dom.mjs";
import { CONTAINER, namespacePage, nodePage, workloadPage } from "../entities.mjs";
import { bytes, count, cpu, isKnown, percent } from "../format.mjs";
import { selfTurning } from "../paged-table.mjs";

/** What it uses, and how much it asked for and may have. */
const claimed = (used, request, limit, format) =>
  [
    format(used),
    isKnown(request) ? `, request ${format(request)}` : ", no request",
    isKnown(limit) ? `, limit ${format(limit)}` : ", no limit",
  ].join("");

const alarming = (value) => (value > 0 ? badge(count(value), "bad") : count(value));

function details(pod) {
  return [
    ["Namespace", link(namespacePage(pod.namespace), pod.namespace)],
    ["Node", link(nodePage(pod.node_name), pod.node_name)],
    [
      pod.workload_kind ?? "Workload",
      link(workloadPage(pod.namespace, pod.workload_kind, pod.workload_name), pod.workload_name),
    ],
    ["CPU", claimed(pod.cpu_millicores, pod.cpu_request_millicores, pod.cpu_limit_millicores, cpu)],
    ["Throttled", percent(pod.cpu_throttled_percent)],
    [
      "Memory",
      claimed(pod.memory_used_bytes, pod.memory_request_bytes, pod.memory_limit_bytes, bytes),
    ],
    ["Restarts", pod.restarts > 0 ? badge(count(pod.restarts), "warn") : count(pod.restarts)],
    ["OOM kills", alarming(pod.oom_kills)],
    ["Containers", count(pod.container_count)],
    ["UID", h("code", {}, pod.uid)],
  ];
}

/** The samples of a container over all its runs: each restart is a run with an ID of its own. */
export const runsOf = (runs, name) =>
  runs
    .filter((run) => run.container_name === name)
    .flatMap((run) => run.samples)
    .sort((one, other) => (one.timestamp < other.timestamp ? -1 : 1));

/** A pod with a namespace; without one while Kubernetes has not told, and then by its UID. */
export function pod(context, { namespace = null, pod: name }) {
  const { client } = context;
  const segments = context.route.segments;
  const path =
    namespace === null ? apiPath("pods", name) : apiPath("namespaces", namespace, "pods", name);
  const chosen = namespace === null ? undefined : context.route.query.container;
  const page = (row) => [segments, row.container_name, { container: row.container_name }];
  const listContainers = (parameters, signal) =>
    client.list(`${path}/containers`, parameters, signal);
  const containers = selfTurning(
    {
      caption: "Containers",
      entity: CONTAINER,
      sort: "name",
      sparkFields: SPARK_FIELDS,
      columns: (sparks) => containerColumns(sparks, page),
      empty: () => "No containers are known yet.",
      list: listContainers,
    },
    context.reload,
  );
  const unknown =
    "Which containers it has is not known: Kubernetes has not told the name of this pod.";
  return detailView(context, {
    kind: "Pod",
    title: name,
    trail:
      namespace === null
        ? [[["pods"], "Pods"]]
        : [
            [namespacePage(namespace), namespace],
            [["pods"], "Pods", { namespace }],
          ],
    path,
    charts: chosen
      ? ["cpu", "throttling", "memory", "disk"]
      : ["cpu", "throttling", "memory", "network", "disk"],
    chartSource: chosen
      ? async (parameters, signal) =>
          runsOf((await listContainers(parameters, signal)).items, chosen)
      : undefined,
    beforeCharts: chosen
      ? h(
          "p",
          { class: "chosen" },
          "Charts of container ",
          h("b", {}, chosen),
          " — ",
          link(segments, "show the whole pod"),
        )
      : null,
    badges: (newest) => [podState(newest), newest.qos_class ? badge(newest.qos_class) : null],
    details,
    tables: [
      namespace === null
        ? { heading: "Containers", note: unknown }
        : { heading: "Containers", table: containers },
    ],
  });
}
