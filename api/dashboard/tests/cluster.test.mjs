import assert from "node:assert/strict";
import { test } from "node:test";

import { SinceOpened, addedByTime, coarsened, isFlagged, totals } from "../app/cluster.mjs";
import { RANGES } from "../app/history.mjs";

const at = (seconds) => new Date(Date.UTC(2026, 0, 31, 12, 0, seconds)).toISOString();
const node = (name, fields = {}) => ({
  timestamp: at(0),
  node_name: name,
  cpu_millicores: 500,
  cpu_capacity_millicores: 4000,
  memory_used_bytes: 10,
  memory_total_bytes: 20,
  pod_count: 3,
  container_count: 5,
  ready: true,
  stale: false,
  ...fields,
});

test("totals add up what is known", () => {
  const total = totals([node("a"), node("b", { cpu_millicores: null })]);
  assert.equal(total.cpu_millicores, 500);
  assert.equal(total.cpu_capacity_millicores, 8000);
  assert.equal(total.network_rx_bytes_per_second, null);
  assert.deepEqual([total.nodes, total.well, total.pods, total.containers], [2, 2, 6, 10]);
});

test("the last figures of a stale node are not of now", () => {
  const total = totals([node("a"), node("b", { stale: true, timestamp: at(30) })]);
  assert.equal(total.cpu_millicores, 500);
  assert.equal(total.memory_total_bytes, 20);
  assert.equal(total.timestamp, at(0));
  assert.deepEqual([total.nodes, total.well, total.stale], [2, 1, 1]);
  assert.deepEqual([total.reporting, total.isPast], [1, false]);
});

test("where no node reports the last figures are shown, as what they are", () => {
  const silent = { stale: true, timestamp: at(3) };
  const total = totals([node("a", silent), node("b", silent)]);
  assert.deepEqual([total.cpu_millicores, total.reporting, total.isPast], [1000, 0, true]);
  assert.deepEqual([total.timestamp, total.heardAt], [null, at(3)]);
});

test("stale and not ready nodes are flagged, those nobody speaks of are not", () => {
  assert.ok(isFlagged(node("a", { stale: true })));
  assert.ok(isFlagged(node("a", { ready: false })));
  assert.ok(!isFlagged(node("a", { ready: null })));
  assert.equal(totals([node("a", { ready: null })]).isReadinessKnown, false);
  assert.equal(totals([node("a", { ready: false })]).notReady, 1);
});

test("no nodes have no totals", () => {
  const total = totals([]);
  assert.deepEqual(
    [total.nodes, total.cpu_millicores, total.pods, total.timestamp],
    [0, null, null, null],
  );
});

test("samples of all nodes are added up step by step", () => {
  const added = addedByTime([
    {
      node_name: "a",
      samples: [
        node("a", { timestamp: at(0) }),
        node("a", { timestamp: at(5), cpu_millicores: null }),
      ],
    },
    {
      node_name: "b",
      samples: [
        node("b", { timestamp: at(0) }),
        node("b", { timestamp: at(5), cpu_millicores: 7 }),
      ],
    },
  ]);
  assert.deepEqual(
    added.map(({ timestamp, cpu_millicores }) => [timestamp, cpu_millicores]),
    [
      [at(0), 1000],
      [at(5), 7],
    ],
  );
});

test("a step that not all nodes have told of yet is left out, and no fall is shown", () => {
  const whole = {
    node_name: "a",
    samples: [node("a", { timestamp: at(0) }), node("a", { timestamp: at(5) })],
  };
  const late = { node_name: "b", samples: [node("b", { timestamp: at(0) })] };
  assert.deepEqual(
    addedByTime([whole, late]).map(({ timestamp }) => timestamp),
    [at(0)],
  );
  assert.deepEqual(
    addedByTime([whole]).map(({ timestamp }) => timestamp),
    [at(0), at(5)],
  );
  assert.deepEqual(addedByTime([]), []);
});

test("many nodes have their past in longer steps, too many have none", () => {
  assert.equal(coarsened(RANGES["15m"], 3).step, RANGES["15m"].step);
  const coarse = coarsened(RANGES["15m"], 400);
  assert.equal(coarse.step % RANGES["15m"].step, 0);
  assert.ok((400 * coarse.seconds) / coarse.step <= 12_000);
  assert.equal(coarsened(RANGES["1h"], 5000), null);
  // 50 KB a second, unpacked: nothing that takes longer than the reader looks.
  assert.equal(coarsened(RANGES["15m"], 500, 400_000), null);
  assert.ok(coarsened(RANGES["15m"], 100, 400_000).step > RANGES["15m"].step);
});

test("totals are gathered once a tick for as long as the page is open", () => {
  const gathered = new SinceOpened();
  for (const timestamp of [at(0), at(0), null, at(5)]) gathered.add({ timestamp });
  assert.deepEqual(
    gathered.samples.map(({ timestamp }) => timestamp),
    [at(0), at(5)],
  );
});
