import assert from "node:assert/strict";
import { test } from "node:test";

import { Client, Problem, Unreachable, apiPath } from "../app/api.mjs";

/** A client whose server answers with what `respond(url, init)` makes. */
function clientOf(respond, options = {}) {
  const asked = [];
  const fetch = async (url, init) => {
    asked.push(url);
    return respond(url, init);
  };
  return { client: new Client({ fetch, ...options }), asked };
}

const json = (body, headers = {}, status = 200) =>
  new Response(JSON.stringify(body), { status, headers });

/** A server that never answers, and notices when it is given up. */
const silent = (_, { signal }) =>
  new Promise((_, reject) => {
    const abort = () => reject(new DOMException("aborted", "AbortError"));
    if (signal.aborted) abort();
    signal.addEventListener("abort", abort);
  });

test("names in paths are percent-encoded one by one", () => {
  assert.equal(apiPath("nodes", "a/b", "units", "x y"), "api/nodes/a%2Fb/units/x%20y");
});

test("parameters without a value are not sent", async () => {
  const { client, asked } = clientOf(() => json([]));
  await client.list("api/pods", {
    namespace: "",
    node: undefined,
    continue: null,
    sort: "-cpu",
    labelSelector: "a=b,c",
  });
  assert.deepEqual(asked, ["api/pods?sort=-cpu&labelSelector=a%3Db%2Cc"]);
});

test("pages lead to each other until the last one", async () => {
  const pages = { "": [["a", "b"], "t1"], t1: [["c"], null] };
  const { client } = clientOf((url) => {
    const [items, next] = pages[new URL(url, "http://server").searchParams.get("continue") ?? ""];
    return json(items, next ? { "X-Continue": next } : {});
  });
  const seen = [];
  let token = "";
  do {
    const { items, next } = await client.list("api/pods", { limit: 2, continue: token });
    seen.push(...items);
    token = next;
  } while (token !== null);
  assert.deepEqual(seen, ["a", "b", "c"]);
});

test("the newest sample is the one of the array, or nothing", async () => {
  assert.deepEqual(await clientOf(() => json([{ node_name: "n" }])).client.newest("api/nodes/n"), {
    node_name: "n",
  });
  assert.equal(await clientOf(() => json([])).client.newest("api/nodes/n"), null);
});

test("a problem keeps its status, its words and its members", async () => {
  const problem = {
    title: "Conflict",
    status: 409,
    detail: "several namespaces have it",
    namespaces: ["a", "b"],
  };
  const { client } = clientOf(() =>
    json(problem, { "content-type": "application/problem+json" }, 409),
  );
  await assert.rejects(client.list("api/pods/x"), (error) => {
    assert.ok(error instanceof Problem);
    assert.equal(error.status, 409);
    assert.equal(error.message, "several namespaces have it");
    assert.deepEqual(error.problem.namespaces, ["a", "b"]);
    return true;
  });
});

test("an error in other words than a problem's is told by its status", async () => {
  const { client } = clientOf(() => new Response("<html>Bad Gateway</html>", { status: 502 }));
  await assert.rejects(client.list("api/nodes"), { name: "Problem", status: 502, message: /502/ });
});

test("without a connection the server is unreachable", async () => {
  const { client } = clientOf(() => Promise.reject(new TypeError("fetch failed")));
  await assert.rejects(client.list("api/nodes"), {
    name: "Unreachable",
    message: "No connection.",
  });
});

test("an answer that is cut off is none", async () => {
  const { client } = clientOf(() => new Response('[{"node_name":', { status: 200 }));
  await assert.rejects(client.list("api/nodes"), Unreachable);
});

test("waiting has an end", async () => {
  const { client } = clientOf(silent, { patience: 20 });
  await assert.rejects(client.list("api/nodes"), { name: "Unreachable", message: /Nothing came/ });
});

/** A body whose pieces come one after the other, `every` so many milliseconds. */
const drip = (pieces, every) =>
  new ReadableStream({
    async pull(controller) {
      const piece = pieces.shift();
      if (piece === undefined) return controller.close();
      await new Promise((resolve) => setTimeout(resolve, every));
      controller.enqueue(new TextEncoder().encode(piece));
    },
  });

test("an answer may take as long as it needs while it goes on coming", async () => {
  const pieces = ["[", ...Array.from({ length: 8 }, (_, place) => `${place},`), '"ü"]'];
  const { client } = clientOf(() => new Response(drip(pieces, 15)), { patience: 60 });
  const { items } = await client.list("api/nodes");
  assert.deepEqual(items, [0, 1, 2, 3, 4, 5, 6, 7, "ü"]);
});

test("an answer that stops coming is given up", async () => {
  const respond = (_, { signal }) =>
    new Response(
      new ReadableStream({
        start(controller) {
          controller.enqueue(new Uint8Array(9));
          signal.addEventListener("abort", () => controller.error(new Error("aborted")));
        },
      }),
    );
  const { client } = clientOf(respond, { patience: 30 });
  await assert.rejects(client.list("api/nodes"), { name: "Unreachable" });
});

test("how fast answers come is known from large ones", async () => {
  const { client } = clientOf(() => new Response(drip([`["${"x".repeat(30_000)}"]`], 100)));
  assert.equal(client.bytesPerSecond, Infinity);
  await client.list("api/nodes");
  assert.ok(client.bytesPerSecond > 0 && client.bytesPerSecond < 400_000);
});

test("who gives up is not told that the server is unreachable", async () => {
  const { client } = clientOf(silent);
  for (const giveUp of [
    (controller) => controller.abort(),
    (controller) => setTimeout(() => controller.abort(), 5),
  ]) {
    const controller = new AbortController();
    giveUp(controller);
    await assert.rejects(client.list("api/nodes", {}, controller.signal), { name: "AbortError" });
  }
});

test("the time is the server's where the clocks differ by more than the answer took", async () => {
  const at = (ms) =>
    clientOf(() => json([], { date: new Date(Date.now() + ms).toUTCString() })).client;
  for (const [ahead, expected] of [
    [3_600_000, 3_600_000],
    [-3_600_000, -3_600_000],
    [1000, 0],
  ]) {
    const client = at(ahead);
    await client.list("api/nodes");
    assert.ok(Math.abs(client.now() - Date.now() - expected) < 1500, `${ahead}`);
  }
});
