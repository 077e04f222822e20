import assert from "node:assert/strict";
import { test } from "node:test";

import { toneOf } from "../app/cells.mjs";
import { roomFor } from "../app/chart.mjs";
import { CONTAINER, NAMESPACE, NODE, POD, UNIT, WORKLOAD } from "../app/entities.mjs";
import { SPARK_SECONDS, Sparks } from "../app/sparks.mjs";
import { nextSort, sortState } from "../app/table.mjs";
import { named } from "../app/views/find.mjs";
import { runsOf } from "../app/views/pod.mjs";
import { ordered } from "../app/views/workloads.mjs";

const T0 = Date.UTC(2026, 0, 31, 12);
const at = (seconds) => new Date(T0 + seconds * 1000).toISOString();

test("a header sorts the largest first and names from a to z, and turns the order when pressed again", () => {
  assert.equal(nextSort("name", "cpu"), "-cpu");
  assert.equal(nextSort("-cpu", "cpu"), "cpu");
  assert.equal(nextSort("cpu", "cpu"), "-cpu");
  assert.equal(nextSort("-cpu", "name"), "name");
  assert.equal(nextSort("name", "name"), "-name");
});

test("a header tells how its column is sorted, if it can be", () => {
  assert.equal(sortState("-cpu", { sort: "cpu" }), "descending");
  assert.equal(sortState("cpu", { sort: "cpu" }), "ascending");
  assert.equal(sortState("-memory", { sort: "cpu" }), "none");
  assert.equal(sortState("cpu", {}), null);
});

test("gathered workloads are in the API's order, the unknown last either way", () => {
  const row = (name, cpu) => ({
    namespace: "n",
    workload_kind: "Job",
    workload_name: name,
    cpu_millicores: cpu,
  });
  const rows = [row("a", 1), row("b", null), row("c", 3), row("d", 1)];
  const names = (sort) => ordered(rows, sort).map(WORKLOAD.name).join("");
  assert.equal(names("cpu"), "adcb");
  assert.equal(names("-cpu"), "cadb");
  assert.equal(names("name"), "abcd");
  assert.equal(names("-name"), "dcba");
});

test("a workload of a list of Deployments is told apart like any other", () => {
  assert.equal(WORKLOAD.key({ namespace: "n", deployment: "cart" }), "n/Deployment/cart");
  assert.deepEqual(WORKLOAD.page({ namespace: "n", deployment: "cart" }), [
    "workloads",
    "n",
    "Deployment",
    "cart",
  ]);
});

test("a pod without a namespace has a page all the same", () => {
  assert.deepEqual(POD.page({ namespace: null, pod_name: "uid" }), ["pods", "uid"]);
  assert.deepEqual(POD.page({ namespace: "n", pod_name: "p" }), ["pods", "n", "p"]);
});

test("figures of a pod that ended, or whose collector fell silent, are of the past", () => {
  assert.ok(POD.isPast({ ended: true, timestamp: at(0) }, at(0)));
  assert.ok(POD.isPast({ ended: false, timestamp: at(0) }, at(300)));
  assert.ok(!POD.isPast({ ended: false, timestamp: at(0) }, at(15)));
});

test("small lines are of the past that was fetched, carried on by the newest samples", () => {
  const sparks = new Sparks(POD.key, ["cpu_millicores"]);
  const newest = [{ uid: "a", timestamp: at(61), cpu_millicores: 9 }];
  assert.deepEqual(sparks.lacking(newest), newest);
  sparks.take(newest);
  sparks.takePast([
    {
      uid: "a",
      samples: [
        { timestamp: at(30), cpu_millicores: 1 },
        { timestamp: at(45), cpu_millicores: null },
      ],
    },
  ]);
  assert.deepEqual(sparks.lacking(newest), []);
  const { points, from, to } = sparks.line(newest[0], "cpu_millicores");
  assert.deepEqual(points, [
    [T0 + 30_000, 1],
    [T0 + 45_000, null],
    [T0 + 60_000, 9],
  ]);
  assert.equal(to - from, SPARK_SECONDS * 1000);
});

test("a row that climbs in gets its past too", () => {
  const sparks = new Sparks(POD.key, ["cpu_millicores"]);
  const row = (uid, seconds = 0) => ({ uid, timestamp: at(seconds), cpu_millicores: 1 });
  const rows = ["a", "b", "c", "d"].map((uid) => row(uid, 60));
  sparks.take(rows);
  const climber = row("e", 60);
  assert.deepEqual(sparks.lacking([...rows, climber]), [climber]);
  sparks.takePastOf(climber, [row("e", 0), row("e", 15)]);
  sparks.take([...rows, climber]);
  assert.deepEqual(
    sparks.line(climber, "cpu_millicores").points.map(([time]) => time - T0),
    [0, 15_000, 60_000],
  );
});

test("each row that has a small line can be asked for by itself", () => {
  assert.equal(NODE.path({ node_name: "a/b" }), "api/nodes/a%2Fb");
  assert.equal(POD.path({ uid: "u", namespace: null }), "api/pods/u");
  assert.equal(NAMESPACE.path({ namespace: "n" }), "api/namespaces/n");
  assert.equal(
    WORKLOAD.path({ namespace: "n", deployment: "cart" }),
    "api/namespaces/n/workloads/Deployment/cart",
  );
  assert.equal(UNIT.path({ node_name: "n", unit_name: "u" }), "api/nodes/n/units/u");
});

test("what is silent is of the past, whatever it is", () => {
  for (const entity of [NODE, POD, CONTAINER, NAMESPACE, WORKLOAD]) {
    assert.ok(entity.isPast({ stale: true, timestamp: at(0) }, at(0)));
    assert.ok(!entity.isPast({ stale: false, timestamp: at(0) }, at(0)));
  }
});

test("more than was asked for is no trouble, what cannot grow any more is", () => {
  assert.deepEqual(
    [50, 80, 95].map((used) => toneOf(used)),
    ["calm", "raised", "high"],
  );
  assert.equal(toneOf(400, false), "calm");
});

test("labels of axes have room, however long they are", () => {
  assert.ok(roomFor(["0", "1200 cores"]) >= 10 * 6.4);
  assert.equal(roomFor(["0"]), roomFor(["100m"]));
});

test("small lines forget rows that went and minutes that passed", () => {
  const sparks = new Sparks(POD.key, ["cpu_millicores"]);
  const row = (uid, seconds = 0) => ({ uid, timestamp: at(seconds), cpu_millicores: 1 });
  sparks.take([row("a", 0), row("b", 0)]);
  sparks.take([row("a", 600)]);
  assert.deepEqual(sparks.line(row("a"), "cpu_millicores").points, [[T0 + 600_000, 1]]);
  assert.deepEqual(sparks.line(row("b"), "cpu_millicores").points, []);
});

test("whole names are found before beginnings, and beginnings before the rest", () => {
  const items = ["web", "a-web", "web-1", "db"].map((namespace) => ({ namespace }));
  assert.deepEqual(
    named(items, (item) => item.namespace, "WEB").map((item) => item.namespace),
    ["web", "web-1", "a-web"],
  );
});

test("a container's line goes through all its runs", () => {
  const run = (name, ...seconds) => ({
    container_name: name,
    samples: seconds.map((s) => ({ timestamp: at(s) })),
  });
  const all = runsOf([run("app", 20, 30), run("proxy", 5), run("app", 0, 10)], "app");
  assert.deepEqual(
    all.map(({ timestamp }) => timestamp),
    [at(0), at(10), at(20), at(30)],
  );
});
