// Which charts there are, and what each shows. Every kind of thing is drawn in the same way.

import { Chart, Crosshair } from "./chart.mjs";
import { h } from "./dom.mjs";
import { points, rises } from "./history.mjs";

const used = (label, field, color) => ({ label, field, color });
const NETWORK_SERIES = [
  used("received", "network_rx_bytes_per_second", "rx"),
  used("sent", "network_tx_bytes_per_second", "tx"),
];
const DISK_SERIES = [
  used("read", "disk_read_bytes_per_second", "read"),
  used("written", "disk_write_bytes_per_second", "write"),
];
const CPU_SERIES = [used("used", "cpu_millicores", "cpu")];

/** By name. `references` are levels drawn across, `marks` counters whose rises are marked. */
const CHARTS = {
  cpu: {
    title: "CPU",
    unit: "cpu",
    series: CPU_SERIES,
    references: {
      request: "cpu_request_millicores",
      limit: "cpu_limit_millicores",
      capacity: "cpu_capacity_millicores",
    },
  },
  throttling: {
    title: "CPU throttling",
    unit: "percent",
    series: [used("periods throttled", "cpu_throttled_percent", "throttled")],
  },
  memory: {
    title: "Memory",
    unit: "bytes",
    series: [
      used("working set", "memory_used_bytes", "memory"),
      used("anonymous", "memory_rss_bytes", "anonymous"),
    ],
    references: { request: "memory_request_bytes", limit: "memory_limit_bytes" },
    marks: { "OOM kill": "oom_kills" },
  },
  nodeMemory: {
    title: "Memory",
    unit: "bytes",
    series: [
      used("used", "memory_used_bytes", "memory"),
      used("working set", "memory_working_set_bytes", "anonymous"),
    ],
    references: { capacity: "memory_total_bytes" },
  },
  totalMemory: {
    title: "Memory",
    unit: "bytes",
    series: [used("used", "memory_used_bytes", "memory")],
    references: { capacity: "memory_total_bytes" },
  },
  sumMemory: {
    title: "Memory",
    unit: "bytes",
    series: [used("working sets", "memory_used_bytes", "memory")],
    references: { request: "memory_request_bytes", limit: "memory_limit_bytes" },
  },
  network: { title: "Network", unit: "rate", series: NETWORK_SERIES },
  disk: { title: "Disk", unit: "rate", series: DISK_SERIES },
  load: {
    title: "Load",
    unit: "number",
    series: [
      used("1 min", "load1", "cpu"),
      used("5 min", "load5", "memory"),
      used("15 min", "load15", "anonymous"),
    ],
  },
  pods: { title: "Pods", unit: "count", series: [used("measured", "pod_count", "rx")] },
};

/** Charts side by side, with one crosshair. */
export class EntityCharts {
  #charts;

  /** `names` are keys of the table above. */
  constructor(names) {
    const crosshair = new Crosshair();
    this.#charts = names.map((name) => ({
      ...CHARTS[name],
      chart: new Chart({ ...CHARTS[name], crosshair }),
    }));
    this.element = h(
      "div",
      { class: `charts of-${names.length}` },
      this.#charts.map(({ chart }) => chart.element),
    );
  }

  /**
   * Shows samples of the last `range`, as seen at `now`. Requests, limits and capacities are known
   * of the present, so they are taken from the newest sample.
   */
  update(samples, newest, range, now) {
    const [from, to] = [now - range.seconds * 1000, now];
    for (const { chart, series, references = {}, marks = {} } of this.#charts) {
      chart.update({
        from,
        to,
        step: range.step,
        points: series.map(({ field }) => points(samples, field)),
        references: Object.entries(references).map(([label, field]) => ({
          label,
          value: newest?.[field] ?? null,
        })),
        marks: Object.entries(marks).flatMap(([label, field]) =>
          rises(samples, field).map((time) => ({ label, time })),
        ),
      });
    }
  }
}
