import assert from "node:assert/strict";
import { test } from "node:test";

import { History, RANGES, joined, points, rises } from "../app/history.mjs";

const T0 = Date.UTC(2026, 0, 31, 12);
const sample = (seconds, value = seconds) => ({
  timestamp: new Date(T0 + seconds * 1000).toISOString(),
  value,
});
const values = (samples) => samples.map(({ value }) => value);

test("ranges come in 60 to 120 steps", () => {
  for (const { seconds, step } of Object.values(RANGES))
    assert.ok(seconds / step >= 60 && seconds / step <= 120);
});

test("the whole range is asked for first, then only what is new and what may have filled up", async () => {
  const asked = [];
  const answers = [
    [0, 10, 20, 30, 40].map((s) => sample(s)),
    [sample(10), sample(20), sample(30), sample(40, 41), sample(50)],
  ];
  const history = new History(async (parameters) => {
    asked.push(parameters);
    return answers.shift();
  }, RANGES["15m"]);
  await history.load();
  await history.load();
  assert.deepEqual(asked, [
    { window: 900, step: 10 },
    { start: sample(10).timestamp, step: 10 },
  ]);
  assert.deepEqual(values(history.samples), [0, 10, 20, 30, 41, 50]);
});

test("what is older than the range is forgotten", () => {
  const all = joined([sample(0), sample(100), sample(200)], [sample(300)], 200);
  assert.deepEqual(values(all), [100, 200, 300]);
});

test("an empty answer changes nothing", () => {
  assert.deepEqual(values(joined([sample(0), sample(5)], [], 900)), [0, 5]);
  assert.deepEqual(joined([], [], 900), []);
});

test("what the API does not know is null in a chart", () => {
  assert.deepEqual(
    points([sample(0, null), { timestamp: sample(5).timestamp }, sample(10, 0)], "value"),
    [
      [T0, null],
      [T0 + 5000, null],
      [T0 + 10_000, 0],
    ],
  );
});

test("a counter that rose is marked when it did, also after values that are not known", () => {
  const samples = [
    sample(0, 2),
    sample(5, 2),
    sample(10, 3),
    sample(15, null),
    sample(20, 5),
    sample(25, 5),
  ];
  assert.deepEqual(rises(samples, "value"), [T0 + 10_000, T0 + 20_000]);
  assert.deepEqual(rises([sample(0, 7)], "value"), []);
});
