// A page about one thing: who it is, how it is, its charts, and the tables of what belongs to it.

import { fill, h } from "./dom.mjs";
import { EntityCharts } from "./entity-charts.mjs";
import { ago, clock } from "./format.mjs";
import { History, RANGES } from "./history.mjs";
import { badge, link } from "./cells.mjs";
import { prefer, preferred } from "./preferences.mjs";

const RANGE_NAMES = ["15m", "5m", "1h"];

/** The span that charts show: one choice for all pages. */
export const chosenRange = () => preferred("range", RANGE_NAMES);

/** Buttons to choose the span. */
export function rangePicker(choose) {
  const buttons = Object.entries(RANGES).map(([name, { label }]) => {
    const onclick = () => {
      prefer("range", name);
      show();
      choose(RANGES[name]);
    };
    return h("button", { type: "button", "data-range": name, onclick }, label);
  });
  const show = () => {
    for (const button of buttons)
      button.setAttribute("aria-pressed", String(button.dataset.range === chosenRange()));
  };
  show();
  return h("div", { class: "segmented", role: "group", "aria-label": "Time range" }, buttons);
}

/** When it was measured, and how long ago where that is not now. */
function measured({ timestamp, cpu_millicores: cpu, memory_used_bytes: memory }, now) {
  // What Kubernetes knows and no collector measured comes with the time of the answer.
  if (cpu === null && memory === null) return "not yet";
  const at = Date.parse(timestamp);
  return now - at > 60_000 ? badge(`${clock(at)}, ${ago(at, now)}`, "warn") : clock(at);
}

/** Names and values side by side. */
export const facts = (pairs) =>
  pairs
    .filter(Boolean)
    .map(([name, value]) => h("div", { class: "fact" }, h("dt", {}, name), h("dd", {}, value)));

/**
 * `trail` is `[[segments, text, query], …]`, the way here. `path` is the API's path of the thing. `badges`
 * and `details` make nodes and facts of its newest sample. `charts` are names of EntityCharts, which
 * show the thing itself, or what `chartSource(parameters, signal)` lists; `beforeCharts` stands over
 * them. `tables` is `[{ heading, note, table }, …]`.
 */
export function detailView(context, page) {
  const {
    kind,
    title,
    trail,
    path,
    badges,
    details,
    chartSource,
    beforeCharts,
    tables = [],
  } = page;
  const { client } = context;
  const source =
    chartSource ??
    (async (parameters, signal) => (await client.list(path, parameters, signal)).items);
  const charts = new EntityCharts(page.charts);
  let range = RANGES[chosenRange()];
  let history = new History(source, range);
  const [badgeBox, factBox] = [h("span", { class: "badges" }), h("dl", { class: "facts" })];
  const heading = h("h1", { tabindex: "-1" }, h("small", {}, kind), title);
  const choose = (chosen) => {
    range = chosen;
    history = new History(source, range);
    context.reload();
  };
  const element = h(
    "section",
    { class: "view" },
    h(
      "nav",
      { class: "trail", "aria-label": "Breadcrumb" },
      trail.map((way) => [link(...way), h("i", {}, "›")]),
    ),
    h("header", { class: "view-head" }, heading, badgeBox, rangePicker(choose)),
    factBox,
    beforeCharts ?? null,
    charts.element,
    tables.map(({ heading, table, note }) =>
      h(
        "section",
        { class: "part" },
        h("h2", {}, heading),
        note ? h("p", { class: "intro" }, note) : null,
        table?.element,
      ),
    ),
  );
  return {
    title,
    element,
    async load(signal) {
      const newest = await client.newest(path, signal);
      fill(badgeBox, badges?.(newest));
      fill(factBox, facts([...details(newest), ["Measured", measured(newest, client.now())]]));
      await history.load(signal);
      // A container's limit is not its pod's: what is drawn brings its own.
      const drawn = chartSource ? history.samples.at(-1) : newest;
      charts.update(history.samples, drawn, range, client.now());
      for (const { table } of tables) await table?.load(signal);
    },
  };
}
