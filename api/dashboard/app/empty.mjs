// What to say where there is nothing yet: what it means, and what to do.

import { command } from "./cells.mjs";
import { h } from "./dom.mjs";

/** No collector has sent anything. */
export function noNodes() {
  // Without `/` at its end, and with the prefix of a proxy on the way.
  const server = new URL(".", location.href).href.replace(/\/$/, "");
  return [
    h("h2", {}, "No node has reported yet"),
    h(
      "p",
      {},
      "Figures come from collectors, one on each node. Start one, and its node shows up here within seconds.",
    ),
    h("dl", { class: "ways" }, [
      h("dt", {}, "In Kubernetes, on every node"),
      h("dd", {}, command("kubectl apply -k deploy")),
      h("dt", {}, "On a single host"),
      h("dd", {}, command(`kubemonitor-collector --server ${server}`)),
      h("dt", {}, "Just this machine, server included"),
      h("dd", {}, command("kubemonitor up")),
    ]),
    h(
      "p",
      {},
      "A collector that cannot reach this server says so in its log: ",
      command("kubectl logs -l app=resource-collector --all-containers -A"),
    ),
  ];
}

/** There are nodes perhaps, but no pods. */
export const noPods = () => [
  h("h2", {}, "No pods"),
  h(
    "p",
    {},
    "No pod runs here. A node whose collector is up shows its pods within seconds; without Kubernetes there are none.",
  ),
];

/** No namespaces: nobody told their names. */
export const noNamespaces = () => [
  h("h2", {}, "No namespaces"),
  h(
    "p",
    {},
    "Their names come from the Kubernetes API. Run the server in a cluster, or start it with ",
    command("--kubeconfig FILE"),
    ".",
  ),
];

/** No workloads here. */
export const noWorkloads = () => [
  h("h2", {}, "No workloads"),
  h(
    "p",
    {},
    "Deployments, StatefulSets, DaemonSets, Jobs and CronJobs are known from the Kubernetes API. None of them has pods here.",
  ),
];

/** No units here. */
export const noUnits = () => [
  h("h2", {}, "No units"),
  h(
    "p",
    {},
    "Units are what runs outside Kubernetes: systemd services and plain containers. None was measured.",
  ),
];

/**
 * Nothing fits what the reader has filled in. `filters` is `[{ label, value, known }, …]`: a name that
 * must be whole was perhaps typed in part, and then those that are known say which there are.
 */
export function noneFits(filters) {
  const partly = filters.flatMap(({ label, value, known }) =>
    known.length === 0 || known.includes(value)
      ? []
      : [{ label, value, near: known.filter((name) => name.includes(value)).slice(0, 8) }],
  );
  return [
    h("h2", {}, "Nothing fits the filter"),
    h("p", {}, filters.map(({ label, value }) => `${label} “${value}”`).join(", ")),
    ...partly.map(({ label, value, near }) =>
      h(
        "p",
        {},
        `There is no ${label.toLowerCase()} “${value}”: names have to be whole. `,
        near.length > 0 ? `These have it in their names: ${near.join(", ")}.` : null,
      ),
    ),
  ];
}
