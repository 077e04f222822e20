// The cluster as the sum of its nodes. The API has no total of its own.

import { sum } from "./format.mjs";
import { joined } from "./history.mjs";

/** So many samples of nodes are fetched at most to be added up: some MB, compressed one. */
const MOST_SAMPLES = 12_000;
/** A line of fewer points shows nothing. */
const FEWEST_POINTS = 20;

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
  return Object.fromEntries(
    SUMMED.map((field) => [field, sum(samples.map((sample) => sample[field]))]),
  );
}

/** What a node's sample takes as JSON, and how long those of all may be on their way. */
const SAMPLE_BYTES = 900;
const FETCHED_WITHIN_SECONDS = 6;

/**
 * A range in steps so long that the past of so many nodes can be fetched over a link that brings so
 * many bytes a second; null where they are too many.
 */
export function coarsened(range, nodes, bytesPerSecond = Infinity) {
  const points = range.seconds / range.step;
  const most = Math.min(MOST_SAMPLES, (bytesPerSecond * FETCHED_WITHIN_SECONDS) / SAMPLE_BYTES);
  const factor = Math.max(1, Math.ceil((nodes * points) / most));
  return points / factor < FEWEST_POINTS ? null : { ...range, step: range.step * factor };
}

/** Something an operator should look at. */
export const isFlagged = (node) => node.stale === true || node.ready === false;

/**
 * What the nodes have and use together. A stale node counts as a node, but its last figures are not
 * of now and stay out of the sums; where no node reports, they are all there is, and of the past.
 */
export function totals(nodes) {
  const fresh = nodes.filter((node) => node.stale !== true);
  const isPast = fresh.length === 0;
  const newest = (some) =>
    some
      .map((node) => node.timestamp)
      .sort()
      .at(-1) ?? null;
  return {
    ...added(isPast ? nodes : fresh),
    timestamp: newest(fresh),
    heardAt: newest(isPast ? nodes : fresh),
    isPast,
    nodes: nodes.length,
    reporting: fresh.length,
    stale: nodes.length - fresh.length,
    well: nodes.filter((node) => !isFlagged(node)).length,
    // Without Kubernetes nobody says which nodes are ready.
    isReadinessKnown: nodes.some((node) => typeof node.ready === "boolean"),
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
