// Swagger UI at /docs, and the dashboard, in a real browser: directly and behind proxies.

import assert from "node:assert/strict";
import { after, before, test } from "node:test";

import { launch } from "./lib/browser.mjs";
import { startProxy } from "./lib/proxy.mjs";
import { populate, startServer } from "./lib/server.mjs";

const PREFIX = "/tools/km";

let browser, server, names, api;

before(async () => {
  [browser, server] = await Promise.all([launch(), startServer()]);
  names = await populate(server.url);
  api = await (await fetch(`${server.url}/openapi.json`)).json();
});

after(async () => {
  await browser?.close();
  await server?.stop();
});

/** Every GET that is documented: its path, its id, its parameters, and the statuses it may answer with. */
const gets = () =>
  Object.entries(api.paths).flatMap(([path, { get }]) =>
    get
      ? [{ path, id: get.operationId, tag: get.tags[0], parameters: get.parameters ?? [], statuses: Object.keys(get.responses) }]
      : [],
  );

/** The path with real names in it. */
const filled = (path) => path.replaceAll(/\{(\w+)\}/g, (_, name) => encodeURIComponent(names[name]));

/** A page that remembers what could not be had. */
async function open(url) {
  const page = await browser.newPage({ reducedMotion: "reduce" });
  page.setDefaultTimeout(60_000);
  page.missing = [];
  page.on("response", (response) => {
    const passed = response.status() < 400 || response.url().endsWith("/favicon.ico");
    if (!passed) page.missing.push(`${response.status()} ${response.url()}`);
  });
  page.on("pageerror", (error) => page.missing.push(String(error)));
  await page.goto(url);
  return page;
}

/** Opens /docs and executes an operation as it stands, with names for what its path needs. */
async function execute(page, base, { path, id, tag, statuses }) {
  const block = page.locator(`[id="operations-${tag}-${id}"]`);
  // As events: a click of the mouse waits until nothing on the page moves any more, seconds each time.
  const click = (what) => block.locator(what).dispatchEvent("click");
  await click(".opblock-summary-control");
  await click(".try-out__btn");
  await block.locator("button.execute").waitFor();
  const fields = await block.locator("tr[data-param-name]").evaluateAll((rows) =>
    rows.map((row) => ({
      name: row.dataset.paramName,
      isInPath: row.dataset.paramIn === "path",
      value: row.querySelector("input, select, textarea")?.value,
    })),
  );
  for (const { name, isInPath, value } of fields) {
    assert.equal(value, "", `${id}: ${name} has a value that nobody gave it`);
    if (!isInPath) continue;
    const field = block.locator(`tr[data-param-name="${name}"][data-param-in=path] input`);
    await field.fill(names[name]);
    // A field that is left is read at once.
    await field.blur();
  }
  const answered = page.waitForResponse((response) => response.request().resourceType() === "fetch");
  await click("button.execute");
  const response = await answered;
  assert.equal(response.url(), base + filled(path), id);
  const status = String(response.status());
  assert.ok(statuses.includes(status), `${id}: ${status} is not documented`);
  await click(".opblock-summary-control");
  return status;
}

async function docs(base) {
  const page = await open(`${base}/docs`);
  await page.locator(".opblock").first().waitFor();
  assert.deepEqual(page.missing, []);
  return page;
}

test("every GET of /docs asks for what it says", async () => {
  const page = await docs(server.url);
  const operations = gets();
  assert.ok(operations.length > 20);
  for (const operation of operations) {
    const status = await execute(page, server.url, operation);
    // Of everything there is one, but perhaps no unit: not every host has any.
    if (operation.id !== "getUnit") assert.equal(status, "200", operation.id);
  }
  await page.close();
});

/** What a proxy does with the prefix, and what the server is told of it. */
const PROXIES = [
  ["takes the prefix away and says so", { tell: true }, []],
  ["takes the prefix away and says nothing", {}, []],
];

for (const [what, how] of PROXIES) {
  test(`behind a proxy that ${what}, docs and dashboard work`, async () => {
    const proxy = await startProxy(server.url, PREFIX, how);
    try {
      const page = await docs(proxy.url);
      for (const operation of gets().filter(({ id }) => ["listNodes", "getPod", "getOverview"].includes(id)))
        assert.equal(await execute(page, proxy.url, operation), "200", operation.id);
      await page.close();

      const dashboard = await open(`${proxy.url}/#/nodes`);
      await dashboard.getByText(names.node, { exact: true }).first().waitFor();
      assert.deepEqual(dashboard.missing, []);
      await dashboard.close();

      const redoc = await open(`${proxy.url}/redoc`);
      assert.equal(redoc.url(), `${proxy.url}/docs`);
      await redoc.close();
    } finally {
      proxy.stop();
    }
  });
}

test("pages are followed by their links behind a proxy that tells its prefix", async () => {
  const proxy = await startProxy(server.url, PREFIX, { tell: true });
  try {
    const first = await fetch(`${proxy.url}/api/namespaces?limit=1`);
    const link = first.headers.get("link")?.match(/<([^>]+)>/)?.[1];
    if (link) {
      const next = await fetch(new URL(link, proxy.url));
      assert.equal(next.status, 200, link);
    } else {
      assert.equal((await first.json()).length, 1);
    }
  } finally {
    proxy.stop();
  }
});
