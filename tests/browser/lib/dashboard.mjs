// The dashboard's files, and an API that says what a test wants: hundreds of nodes that fell silent are
// not to be had otherwise.

import { readFile } from "node:fs/promises";
import { once } from "node:events";
import { createServer } from "node:http";
import { dirname, extname, join, normalize, resolve } from "node:path";
import { fileURLToPath } from "node:url";

const FILES = resolve(dirname(fileURLToPath(import.meta.url)), "../../../api/dashboard");
const TYPES = {
  ".html": "text/html",
  ".mjs": "text/javascript",
  ".css": "text/css",
  ".svg": "image/svg+xml",
};

/**
 * Serves the dashboard on a free port. `api[path](parameters)` gives what is answered to a GET of
 * `/api/PATH`: a list, or `{ items, next }`. What is not there is answered with 404.
 */
export async function serveDashboard(api) {
  const server = createServer(async (asked, answer) => {
    const url = new URL(asked.url, "http://server");
    const path = decodeURIComponent(url.pathname).replace(/^\//, "");
    if (path.startsWith("api/")) return tell(answer, api[path.slice(4)], url.searchParams);
    const file = path === "" ? "index.html" : normalize(path);
    try {
      const content = await readFile(join(FILES, file));
      answer.writeHead(200, { "content-type": TYPES[extname(file)] ?? "text/plain" }).end(content);
    } catch {
      answer.writeHead(404).end();
    }
  });
  server.listen(0, "127.0.0.1");
  await once(server, "listening");
  const stop = () => {
    server.closeAllConnections();
    server.close();
  };
  return { url: `http://127.0.0.1:${server.address().port}/`, stop };
}

function tell(answer, respond, parameters) {
  const told = respond?.(Object.fromEntries(parameters));
  if (told === undefined) {
    const problem = JSON.stringify({ title: "Not Found", status: 404, detail: "not here" });
    answer.writeHead(404, { "content-type": "application/problem+json" }).end(problem);
    return;
  }
  const { items = told, next } = told;
  const headers = { "content-type": "application/json", ...(next ? { "x-continue": next } : {}) };
  answer.writeHead(200, headers).end(JSON.stringify(items));
}

/** The time of a sample, so many seconds ago, as the API writes it. */
export const ago = (seconds) =>
  new Date(Math.floor((Date.now() - seconds * 1000) / 5000) * 5000).toISOString();

const traffic = Object.fromEntries(
  ["disk_read", "disk_write", "network_rx", "network_tx"].flatMap((way) => [
    [`${way}_bytes`, 1_000_000],
    [`${way}_bytes_per_second`, 1000],
  ]),
);

/** A node as the API tells of it. */
export const node = (name, fields = {}) => ({
  timestamp: ago(0),
  node_name: name,
  pod_count: 3,
  container_count: 5,
  ready: true,
  stale: false,
  cpu_usage_percent: 25,
  cpu_millicores: 1000,
  cpu_capacity_millicores: 4000,
  memory_used_mb: 1024,
  memory_used_bytes: 1 << 30,
  memory_total_bytes: 4 * 2 ** 30,
  memory_available_bytes: 3 * 2 ** 30,
  memory_working_set_bytes: 1 << 30,
  load1: 1,
  load5: 1,
  load15: 1,
  ...traffic,
  ...fields,
});

/** A pod. */
export const pod = (name, fields = {}) => ({
  timestamp: ago(0),
  namespace: "shop",
  pod_name: name,
  uid: `uid-of-${name}`,
  node_name: "n1",
  deployment: null,
  workload_kind: "Pod",
  workload_name: name,
  ended: false,
  stale: false,
  phase: "Running",
  ready: true,
  reason: null,
  qos_class: "Burstable",
  restarts: 0,
  oom_kills: 0,
  container_count: 1,
  cpu_millicores: 100,
  cpu_request_millicores: null,
  cpu_limit_millicores: null,
  cpu_throttled_percent: null,
  memory_used_bytes: 1 << 20,
  memory_rss_bytes: 1 << 20,
  memory_request_bytes: null,
  memory_limit_bytes: null,
  ...traffic,
  ...fields,
});

/** A namespace. */
export const namespace = (name, fields = {}) => ({
  timestamp: ago(0),
  namespace: name,
  pod_count: 3,
  nodes_total: 2,
  nodes_reporting: 2,
  stale: false,
  cpu_millicores: 300,
  cpu_request_millicores: null,
  cpu_limit_millicores: null,
  memory_used_bytes: 3 << 20,
  memory_request_bytes: null,
  memory_limit_bytes: null,
  ...traffic,
  ...fields,
});

/** Samples of something over the last so many seconds, one each five, but for those in `gap`. */
export const past = (sample, seconds, gap = () => false) =>
  Array.from({ length: seconds / 5 }, (_, place) => seconds - 5 * (place + 1))
    .filter((age) => !gap(age))
    .map((age) => ({ ...sample, timestamp: ago(age) }));
