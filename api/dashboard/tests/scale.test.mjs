import assert from "node:assert/strict";
import { test } from "node:test";

import {
  areaPath,
  axis,
  ceiling,
  dotPath,
  linePath,
  linear,
  longestJoin,
  nearest,
  runs,
  timeTicks,
  usualSpacing,
} from "../app/scale.mjs";

const GIB = 2 ** 30;

test("a linear scale maps ends to ends, and a range of no length to its start", () => {
  const y = linear([0, 10], [100, 0]);
  assert.deepEqual([y(0), y(5), y(10)], [100, 50, 0]);
  assert.equal(linear([3, 3], [7, 9])(3), 7);
});

test("an axis begins at 0 and ends at a round number at or above the largest value", () => {
  assert.deepEqual(axis(10), { max: 10, ticks: [0, 5, 10] });
  assert.deepEqual(axis(37).ticks, [0, 10, 20, 30, 40]);
  assert.deepEqual(
    axis(0.3).ticks.map((tick) => Number(tick.toFixed(9))),
    [0, 0.1, 0.2, 0.3],
  );
  for (const most of [0.07, 1, 99, 100, 101, 4321]) {
    const { max, ticks } = axis(most);
    assert.ok(max >= most * (1 - 1e-9) && max < most * 2 && ticks.length <= 6, `${most}: ${ticks}`);
  }
});

test("an axis of bytes has powers of two between its ticks", () => {
  assert.deepEqual(
    axis(3.3 * GIB, { binary: true }).ticks,
    [0, 1, 2, 3, 4].map((n) => n * GIB),
  );
  assert.deepEqual(axis(900, { binary: true }).ticks, [0, 256, 512, 768, 1024]);
  assert.deepEqual(axis(1, { binary: true }).ticks, [0, 1]);
});

test("an axis of nothing is still an axis, and what is idle looks idle", () => {
  for (const nothing of [0, null, -Infinity]) assert.ok(axis(nothing).max > 0);
  assert.equal(axis(0.04, { least: 1 }).max, 1);
});

test("things that are counted have no ticks between whole ones", () => {
  assert.deepEqual(axis(2, { whole: true }).ticks, [0, 1, 2]);
});

test("time is labelled at round moments, few enough to be read", () => {
  const noon = Date.UTC(2026, 0, 31, 12);
  const { step, ticks } = timeTicks(noon + 1000, noon + 901_000, 5);
  assert.equal(step, 300_000);
  assert.deepEqual(ticks, [noon + 300_000, noon + 600_000, noon + 900_000]);
  assert.ok(timeTicks(noon, noon + 86_400_000 * 30, 5).step >= 86_400_000);
});

test("the usual spacing is not moved by a gap", () => {
  assert.equal(usualSpacing([0, 5, 10, 15, 500, 505]), 5);
  assert.equal(usualSpacing([7]), null);
  assert.equal(longestJoin([0, 5, 10]), 12.5);
  assert.equal(longestJoin([], 10), 25);
});

test("a null breaks the line, and is no point of it", () => {
  const points = [
    [0, 1],
    [5, 2],
    [10, null],
    [15, 0],
    [20, 4],
  ];
  assert.deepEqual(runs(points, 12), [
    [
      [0, 1],
      [5, 2],
    ],
    [
      [15, 0],
      [20, 4],
    ],
  ]);
});

test("a time without points breaks the line, one lost point does not", () => {
  assert.equal(
    runs(
      [
        [0, 1],
        [5, 1],
        [15, 1],
        [20, 1],
      ],
      12.5,
    ).length,
    1,
  );
  assert.equal(
    runs(
      [
        [0, 1],
        [5, 1],
        [60, 1],
        [65, 1],
      ],
      12.5,
    ).length,
    2,
  );
});

test("of nothing known there is no line", () => {
  assert.deepEqual(runs([], 10), []);
  assert.deepEqual(
    runs(
      [
        [0, null],
        [5, undefined],
      ],
      10,
    ),
    [],
  );
});

test("lines and areas are drawn run by run, a lone point as a dot", () => {
  const same = (value) => value;
  const parts = [
    [
      [0, 1],
      [5, 2],
    ],
    [[20, 3]],
  ];
  assert.equal(linePath(parts, same, same), "M0,1L5,2");
  assert.equal(dotPath(parts, same, same), "M20,3h0");
  assert.equal(areaPath(parts, same, same, 9), "M0,9L0,1L5,2L5,9Z");
});

test("the nearest point is found within reach only", () => {
  const points = [
    [0, 1],
    [10, 2],
    [20, 3],
  ];
  assert.equal(nearest(points, 12), 1);
  assert.equal(nearest(points, 16), 2);
  assert.equal(nearest(points, -100), 0);
  assert.equal(nearest(points, 100), 2);
  assert.equal(nearest(points, 100, 30), -1);
  assert.equal(nearest([], 5), -1);
});

test("a limit is drawn while it leaves the use to be seen", () => {
  assert.equal(ceiling([100, 200], [500]), 500);
  assert.equal(ceiling([100, 200], [5000]), 200);
  assert.equal(ceiling([0, null], [5000]), 5000);
  assert.equal(ceiling([100], [null]), 100);
  assert.equal(ceiling([], []), 0);
});
