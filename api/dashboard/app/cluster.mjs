// The cluster as the sum of its nodes. The API has no total of its own.

import { sum } from "./format.mjs";
import { joined } from "./history.mjs";

/** Up to so many nodes their past is fetched and added up; for more of them it would be too much. */
export const MOST_NODES_WITH_PAST = 100;

const SUMMED = [
  "cpu_millicores",
  "cpu_capacity_millicores",
  "memory_used_bytes",
  "memory_total_bytes",
  "network_rx_bytes_per_second",
  "network_tx_bytes_per_second",
  "disk_read_bytes_per_second",
  "disk_write_bytes_per_second",
];

function added(samples) {
  return Object.fromEntries(SUMMED.map((field) => [field, sum(samples.map((sample) => sample[field]))]));
}

/** Something an operator should look at. */
export const isFlagged = (node) => node.stale === true || node.ready === false;

/**
 * What the nodes have and use together. A stale node counts as a node, but its last figures are not
 * of now and stay out of the sums.
 */
export function totals(nodes) {
  const fresh = nodes.filter((node) => node.stale !== true);
  const timestamps = fresh.map((node) => node.timestamp).sort();
  return {
    ...added(fresh),
    timestamp: timestamps.at(-1) ?? null,
    nodes: nodes.length,
    stale: nodes.length - fresh.length,
    // Without Kubernetes nobody says which nodes are ready.
    ready: nodes.some((node) => typeof node.ready === "boolean") ? nodes.filter((node) => node.ready === true).length : null,
    notReady: nodes.filter((node) => node.ready === false).length,
    pods: sum(nodes.map((node) => node.pod_count)),
    containers: sum(nodes.map((node) => node.container_count)),
  };
}

/**
 * Adds up nodes' samples (`[{ node_name, samples }, …]`) step by step. The last step is left out
 * while fewer nodes have told of it than of the one before: it would look like a fall.
 */
export function addedByTime(nodes) {
  const steps = new Map();
  for (const sample of nodes.flatMap((node) => node.samples)) {
    const step = steps.get(sample.timestamp);
    if (step) step.push(sample);
    else steps.set(sample.timestamp, [sample]);
  }
  const ordered = [...steps.entries()].sort(([one], [other]) => (one < other ? -1 : 1));
  const [before, last] = [ordered.at(-2), ordered.at(-1)];
  if (before && last[1].length < before[1].length) ordered.pop();
  return ordered.map(([timestamp, samples]) => ({ timestamp, ...added(samples) }));
}

/** What the totals were since the page was opened: all there is of the past of many nodes. */
export class SinceOpened {
  samples = [];

  /** Takes the totals of one round. */
  add(total, seconds = 3600) {
    if (total.timestamp !== null) this.samples = joined(this.samples, [total], seconds);
  }
}
