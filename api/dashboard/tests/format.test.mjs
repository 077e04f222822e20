import assert from "node:assert/strict";
import { test } from "node:test";

import {
  ABSENT,
  UNITS,
  ago,
  bytes,
  count,
  cpu,
  number,
  percent,
  plural,
  rate,
  share,
  sum,
} from "../app/format.mjs";

const written = (format, cases) => {
  for (const [value, text] of cases) assert.equal(format(value), text, `${value}`);
};

test("what is not known is a dash in every format, never 0", () => {
  for (const format of [cpu, bytes, rate, percent, count, number]) {
    for (const value of [null, undefined, NaN]) assert.equal(format(value), ABSENT);
    assert.match(format(0), /^0/);
  }
});

test("CPU is written in millicores below one core, in cores from there on", () => {
  written(cpu, [
    [0, "0m"],
    [0.02, "<0.1m"],
    [0.5, "0.5m"],
    [3, "3m"],
    [12.345, "12m"],
    [999.4, "999m"],
    [999.6, "1.00 core"],
    [1000, "1.00 core"],
    [1500, "1.50 cores"],
    [64_000, "64.0 cores"],
    [240_000, "240 cores"],
  ]);
});

test("bytes are written in binary units with three digits", () => {
  written(bytes, [
    [0, "0 B"],
    [999, "999 B"],
    [1000, "0.98 KiB"],
    [1024, "1.00 KiB"],
    [50_593_792, "48.3 MiB"],
    [1023 * 2 ** 20, "1.00 GiB"],
    [2 ** 30 * 943, "943 GiB"],
    [2 ** 70, "1024 EiB"],
  ]);
});

test("rates are bytes per second in a fitting unit", () => {
  written(rate, [
    [31.6, "32 B/s"],
    [1228.8, "1.20 KiB/s"],
    [2 ** 20 * 12.34, "12.3 MiB/s"],
  ]);
});

test("small shares keep a decimal, and more than nothing never reads as nothing", () => {
  written(percent, [
    [0, "0%"],
    [0.01, "<0.1%"],
    [0.5, "0.5%"],
    [12.5, "13%"],
    [99.96, "100%"],
  ]);
});

test("counts are grouped, other numbers have three digits", () => {
  written(count, [
    [0, "0"],
    [999, "999"],
    [150_000, "150\u202f000"],
    [1_234_567, "1\u202f234\u202f567"],
  ]);
  written(number, [
    [0.42, "0.42"],
    [11.8, "11.8"],
    [0.001, "<0.01"],
  ]);
  assert.equal(plural(1, "node"), "1 node");
  assert.equal(plural(0, "node"), "0 nodes");
});

test("axes leave out decimals that say nothing", () => {
  assert.equal(UNITS.cpu.onAxis(2000), "2 cores");
  assert.equal(UNITS.cpu.onAxis(1000), "1 core");
  assert.equal(UNITS.cpu.onAxis(1500), "1.5 cores");
  assert.equal(UNITS.bytes.onAxis(512 * 2 ** 20), "512 MiB");
  assert.equal(UNITS.bytes.onAxis(1.5 * 2 ** 30), "1.5 GiB");
  assert.equal(UNITS.rate.onAxis(0), "0 B/s");
  assert.equal(UNITS.number.onAxis(0.5), "0.5");
  assert.equal(UNITS.number.onAxis(100), "100");
});

test("a share needs both sides, and a whole that is something", () => {
  assert.equal(share(250, 1000), 25);
  assert.equal(share(null, 1000), null);
  assert.equal(share(250, null), null);
  assert.equal(share(250, 0), null);
});

test("a sum is of what is known, and of nothing known it is not known", () => {
  assert.equal(sum([1, null, 2]), 3);
  assert.equal(sum([null, null]), null);
  assert.equal(sum([]), null);
});

test("how long ago something was is told in one unit, and never as in the future", () => {
  const now = 1_700_000_000_000;
  assert.equal(ago(now - 5000, now), "5 s ago");
  assert.equal(ago(now + 5000, now), "0 s ago");
  assert.equal(ago(now - 300_000, now), "5 min ago");
  assert.equal(ago(now - 7_200_000, now), "2 h ago");
  assert.equal(ago(now - 4 * 86_400_000, now), "4 days ago");
});
