import assert from "node:assert/strict";
import { mock, test } from "node:test";

import { EVERY_MS, Poller } from "../app/poll.mjs";

/** Lets promises that are due run. */
const settle = async () => {
  for (let turn = 0; turn < 10; turn += 1) await Promise.resolve();
};

/** A poller on a clock that stands still until it is moved. */
function poller(ask, { isVisible } = {}) {
  mock.timers.reset();
  mock.timers.enable({ apis: ["setTimeout"] });
  const state = { time: 0, reports: [], asked: 0 };
  const counted = (signal) => {
    state.asked += 1;
    return ask(signal, state);
  };
  const poller = new Poller(counted, (failure) => state.reports.push(failure), {
    isVisible,
    now: () => state.time,
  });
  const pass = async (ms) => {
    state.time += ms;
    mock.timers.tick(ms);
    await settle();
  };
  return { poller, state, pass };
}

test("it asks at once and then every five seconds", async () => {
  const { poller: it, state, pass } = poller(async () => {});
  it.restart();
  await settle();
  assert.deepEqual([state.asked, state.reports], [1, [null]]);
  await pass(EVERY_MS - 1);
  assert.equal(state.asked, 1);
  await pass(1);
  assert.equal(state.asked, 2);
  it.stop();
});

test("it goes on after a failure, and tells of it", async () => {
  const failure = new Error("not reachable");
  const {
    poller: it,
    state,
    pass,
  } = poller(async (_, { asked }) => {
    if (asked === 1) throw failure;
  });
  it.restart();
  await settle();
  await pass(EVERY_MS);
  assert.deepEqual(state.reports, [failure, null]);
  it.stop();
});

test("it does not ask while an answer is awaited", async () => {
  const { poller: it, state, pass } = poller(() => new Promise(() => {}));
  it.restart();
  await pass(60_000);
  assert.equal(state.asked, 1);
  it.stop();
});

test("a changed question gives the old one up, whose end is not told", async () => {
  const signals = [];
  const { poller: it, state } = poller((signal) => {
    signals.push(signal);
    return new Promise((resolve, reject) => {
      if (signals.length === 2) resolve();
      signal.addEventListener("abort", () => reject(new Error("aborted")));
    });
  });
  it.restart();
  it.restart();
  await settle();
  assert.deepEqual(
    signals.map(({ aborted }) => aborted),
    [true, false],
  );
  assert.deepEqual(state.reports, [null]);
  it.stop();
});

test("it asks nothing while nobody looks, and at once when somebody looks again", async () => {
  let isVisible = true;
  const { poller: it, state, pass } = poller(async () => {}, { isVisible: () => isVisible });
  it.restart();
  await settle();
  isVisible = false;
  it.visibilityChanged();
  await pass(60_000);
  assert.equal(state.asked, 1);
  isVisible = true;
  it.visibilityChanged();
  await pass(0);
  assert.equal(state.asked, 2);
  it.stop();
});

test("answers that take long are asked for less often", async () => {
  const {
    poller: it,
    state,
    pass,
  } = poller(async (_, state) => {
    state.time += 4000;
  });
  it.restart();
  await settle();
  await pass(15_999);
  assert.equal(state.asked, 1);
  await pass(1);
  assert.equal(state.asked, 2);
  it.stop();
});

test("once stopped it neither asks nor tells", async () => {
  const { poller: it, state, pass } = poller(async () => {});
  it.restart();
  it.stop();
  await settle();
  await pass(60_000);
  it.restart();
  assert.deepEqual([state.asked, state.reports], [1, []]);
});
