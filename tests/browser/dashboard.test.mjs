// The dashboard in a real browser: what it shows of silence, of large and of partial things, and how it
// takes slow links, fingers and the back button.

import assert from "node:assert/strict";
import { after, before, test } from "node:test";

import { launch } from "./lib/browser.mjs";
import { ago, namespace, node, past, pod, serveDashboard } from "./lib/dashboard.mjs";

let browser;

before(async () => {
  browser = await launch();
});

after(() => browser?.close());

/** Opens a page of a dashboard whose API is this one, and closes it after `use`. */
async function visit(api, fragment, use, options = {}) {
  const server = await serveDashboard(api);
  const context = await browser.newContext(options);
  try {
    const page = await context.newPage();
    page.setDefaultTimeout(60_000);
    const broken = [];
    page.on("pageerror", (error) => broken.push(String(error)));
    if (options.prepare) await options.prepare(page, context);
    await page.goto(server.url + fragment);
    await use(page, server);
    assert.deepEqual(broken, []);
  } finally {
    await context.close();
    server.stop();
  }
}

const nodes = (count, fields) =>
  Array.from({ length: count }, (_, place) => node(`n${place + 1}`, fields(place)));

/** An API of nodes, and nothing else of interest. */
const apiOf = (list, more = {}) => ({
  nodes: ({ window, start }) =>
    window || start
      ? list.map((one) => ({ node_name: one.node_name, samples: past(one, 900) }))
      : list,
  pods: () => [],
  namespaces: () => [],
  ...more,
});

test("one of 501 nodes is not the cluster, and no figure of it is red", async () => {
  const silent = { stale: true, timestamp: ago(300), cpu_usage_percent: 25 };
  const busy = { cpu_millicores: 4000, cpu_usage_percent: 100 };
  const api = apiOf(nodes(501, (place) => (place === 0 ? busy : silent)));
  await visit(api, "", async (page) => {
    await page.getByText("From 1 of 501 nodes").waitFor();
    assert.equal(await page.locator(".tiles .meter.high").count(), 0);
    assert.equal(await page.locator(".tiles .badge.bad").count(), 0);
    assert.ok((await page.locator("tr.past").count()) > 0);
    await page
      .getByText(/silent since/)
      .first()
      .waitFor();
  });
});

test("where no node reports the last figures are grey and say of when", async () => {
  const api = apiOf(nodes(3, () => ({ stale: true, timestamp: ago(300) })));
  await visit(api, "", async (page) => {
    await page.getByText(/No node reports: these are the last figures, of \d\d:\d\d/).waitFor();
    await page.locator(".tiles.past").waitFor();
    assert.equal(await page.locator(".meter.high").count(), 0);
  });
});

test("a namespace says from how many of its nodes it is, and that it is silent", async () => {
  const api = apiOf(
    nodes(2, () => ({})),
    {
      namespaces: () => [
        namespace("partial", { nodes_reporting: 1 }),
        namespace("silent", { stale: true, nodes_reporting: 0, timestamp: ago(300) }),
      ],
      "namespaces/silent": ({ window, start }) =>
        window || start
          ? []
          : [namespace("silent", { stale: true, nodes_reporting: 0, timestamp: ago(300) })],
      "namespaces/silent/workloads": () => [],
      "namespaces/silent/pods": () => [],
    },
  );
  await visit(api, "#/namespaces", async (page) => {
    await page.getByText("1 of 2 nodes").waitFor();
    assert.equal(await page.locator("tr.past").count(), 1);
    await page.goto(`${page.url().split("#")[0]}#/namespaces/silent`);
    await page.getByText(/silent since/).waitFor();
  });
});

test("a history breaks off where nothing was measured", async () => {
  const one = namespace("shop");
  const api = apiOf([], {
    // For two minutes in the middle, and for the last three, nothing was.
    "namespaces/shop": ({ window, start }) =>
      window || start
        ? past(one, 900, (age) => age < 180 || (age > 400 && age < 520))
        : [{ ...one, stale: true, timestamp: ago(180) }],
    "namespaces/shop/workloads": () => [],
    "namespaces/shop/pods": () => [],
  });
  await visit(api, "#/namespaces/shop", async (page) => {
    const line = page.locator(".chart").first().locator("path.line");
    await line.waitFor({ state: "attached" });
    const d = await line.getAttribute("d");
    assert.equal(d.match(/M/g).length, 2, d);
    const width = await page
      .locator(".plot")
      .first()
      .evaluate((plot) => plot.clientWidth);
    const end = Number(d.split(/[ML]/).at(-1).split(",")[0]);
    assert.ok(end < width * 0.85, `it ends at ${end} of ${width}`);
  });
});

test("labels of axes are whole above 999 cores", async () => {
  const large = { cpu_millicores: 1_500_000, cpu_capacity_millicores: 2_000_000 };
  await visit(apiOf([node("n1", large)]), "", async (page) => {
    await page
      .getByText(/^1\d00 cores$/)
      .first()
      .waitFor();
    const cut = await page.locator(".plot").evaluateAll((plots) =>
      plots.flatMap((plot) => {
        const edge = plot.getBoundingClientRect().left;
        return [...plot.querySelectorAll("text.tick")]
          .filter((text) => text.getBoundingClientRect().left < edge - 0.5)
          .map((text) => text.textContent);
      }),
    );
    assert.deepEqual(cut, []);
  });
});

test("a pod above its request is not in trouble, one at its limit is", async () => {
  const api = apiOf([], {
    pods: ({ window }) =>
      window
        ? []
        : [
            pod("above", { cpu_millicores: 300, cpu_request_millicores: 100 }),
            pod("at-limit", { cpu_millicores: 99, cpu_limit_millicores: 100 }),
          ],
  });
  await visit(api, "#/pods", async (page) => {
    const row = (name) => page.locator("tr", { hasText: name });
    await row("above").getByText("300% of request").waitFor();
    await row("at-limit").getByText("99% of limit").waitFor();
    assert.equal(await row("above").locator(".meter.high, .meter.raised").count(), 0);
    assert.equal(await row("at-limit").locator(".meter.high").count(), 1);
  });
});

test("pods that cannot start are found by their phase, and say why", async () => {
  const asked = [];
  const api = apiOf([], {
    pods: (parameters) => {
      asked.push(parameters.phase);
      const stuck = { phase: "Pending", reason: "ImagePullBackOff", ready: false };
      return parameters.window ? [] : parameters.phase ? [pod("stuck", stuck)] : [pod("fine")];
    },
  });
  await visit(api, "#/pods", async (page) => {
    await page.getByRole("link", { name: "fine" }).first().waitFor();
    await page.locator("#filter-phase").selectOption("Pending");
    await page.locator(".badge.bad", { hasText: "ImagePullBackOff" }).waitFor();
    assert.ok(asked.includes("Pending"));
  });
});

test("a slow link is called slow, and all of the overview comes", async () => {
  const list = nodes(400, () => ({}));
  const api = apiOf(list, {
    pods: () => [pod("busiest")],
    namespaces: () => [namespace("largest")],
  });
  const prepare = async (page, context) => {
    const session = await context.newCDPSession(page);
    await session.send("Network.enable");
    page.slowDown = () =>
      session.send("Network.emulateNetworkConditions", {
        offline: false,
        latency: 100,
        downloadThroughput: 50_000,
        uploadThroughput: 50_000,
      });
    // The page itself comes at full speed: what is tested are its figures.
    await page.route("**/api/nodes", async (route) => {
      await page.slowDown();
      await route.continue();
    });
  };
  await visit(
    api,
    "",
    async (page) => {
      await page.getByText(/slow: .* so far/).waitFor();
      await page.getByRole("link", { name: "busiest" }).first().waitFor();
      await page.getByRole("link", { name: "largest" }).first().waitFor();
      assert.equal(await page.locator(".banner").isVisible(), false);
      assert.equal(await page.getByText("cannot be reached").count(), 0);
    },
    { prepare },
  );
});

test("after Back the filter shows what holds", async () => {
  const api = apiOf([], {
    pods: ({ namespace: of, window }) => (window ? [] : [pod(of ? `in-${of}` : "any")]),
    namespaces: () => [namespace("kafka"), namespace("shop")],
  });
  await visit(api, "#/pods", async (page) => {
    const field = page.locator("#filter-namespace");
    await page.getByRole("link", { name: "any" }).first().waitFor();
    await field.fill("kafka");
    await field.press("Enter");
    await page.getByRole("link", { name: "in-kafka" }).first().waitFor();
    // The field keeps the focus.
    await page.goBack();
    await page.getByRole("link", { name: "any" }).first().waitFor();
    assert.equal(await field.inputValue(), "");
    await page.goForward();
    await page.getByRole("link", { name: "in-kafka" }).first().waitFor();
    assert.equal(await field.inputValue(), "kafka");
  });
});

test("a namespace typed in part is told from a cluster without Kubernetes", async () => {
  const api = apiOf([], {
    pods: ({ namespace: of }) => (of ? [] : [pod("any")]),
    namespaces: () => [namespace("kafka"), namespace("shop")],
  });
  await visit(api, "#/pods?namespace=kaf", async (page) => {
    await page.getByText("There is no namespace “kaf”").waitFor();
    await page.getByText(/in their names: kafka/).waitFor();
    assert.equal(await page.getByText("without Kubernetes").count(), 0);
  });
});

test("a row that climbs into a list has its small line", async () => {
  let climbed = false;
  const names = Array.from({ length: 12 }, (_, place) => `steady-${place}`);
  const listed = () => [...(climbed ? ["climber"] : []), ...names].map((name) => pod(name));
  const api = apiOf([], {
    pods: ({ window }) =>
      window ? listed().map((one) => ({ ...one, samples: past(one, 300) })) : listed(),
    "pods/uid-of-climber": ({ window }) => (window ? past(pod("climber"), 300) : undefined),
  });
  await visit(api, "#/pods", async (page) => {
    // Of five minutes, and not of the moments since the row came.
    const isDrawn = (name) =>
      page.waitForFunction(
        ([name]) =>
          [...document.querySelectorAll("tr")]
            .find((row) => row.textContent.includes(name))
            ?.querySelector(".spark .line")
            ?.getAttribute("d")
            .split("L").length > 10,
        [name],
      );
    await isDrawn("steady-3");
    climbed = true;
    await page.getByRole("link", { name: "climber" }).first().waitFor();
    await isDrawn("climber");
  });
});

test("a tap shows values, and a tap elsewhere lets go of them", async () => {
  const phone = { viewport: { width: 390, height: 844 }, hasTouch: true, isMobile: true };
  const one = node("n1");
  const api = apiOf([one]);
  await visit(
    api,
    "",
    async (page) => {
      const plot = page.locator(".plot").first();
      const moment = page.locator(".moment").first();
      await page.locator(".chart path.line").first().waitFor({ state: "attached" });
      await plot.scrollIntoViewIfNeeded();
      const { x, y, width, height } = await plot.boundingBox();
      await page.touchscreen.tap(x + width * 0.7, y + height / 2);
      await page.waitForFunction(() =>
        /\d\d:\d\d:\d\d/.test(document.querySelector(".moment").textContent),
      );
      assert.match(await moment.textContent(), /\d\d:\d\d:\d\d/);
      await page.locator("h1").tap();
      await page.waitForFunction(() => document.querySelector(".moment").textContent === "");
    },
    phone,
  );
});

test("dragging on a chart selects no text", async () => {
  await visit(apiOf([node("n1")]), "", async (page) => {
    await page.locator(".chart path.line").first().waitFor({ state: "attached" });
    const { x, y, width, height } = await page.locator(".plot").first().boundingBox();
    await page.mouse.move(x + 5, y + 5);
    await page.mouse.down();
    await page.mouse.move(x + width - 5, y + height - 5, { steps: 5 });
    await page.mouse.up();
    assert.equal(await page.evaluate(() => String(getSelection())), "");
  });
});
