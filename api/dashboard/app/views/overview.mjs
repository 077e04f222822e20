// The whole cluster at one look: how much is used, what it was like, who uses most, which nodes
// need looking after.

import { badge, link, meter } from "../cells.mjs";
import { SinceOpened, addedByTime, coarsened, isFlagged, totals } from "../cluster.mjs";
import { apiPath } from "../api.mjs";
import { namespaceColumns, nodeColumns, podColumns } from "../columns.mjs";
import { chosenRange, rangePicker } from "../detail-view.mjs";
import { fill, h } from "../dom.mjs";
import { noNodes } from "../empty.mjs";
import { NAMESPACE, NODE, POD } from "../entities.mjs";
import { EntityCharts } from "../entity-charts.mjs";
import { bytes, clock, count, cpu, percent, plural, rate, share } from "../format.mjs";
import { History, RANGES } from "../history.mjs";
import { Table } from "../table.mjs";

const TOP = 8;
const NODES_SHOWN = 10;
const MEASURES = { cpu: "CPU", memory: "Memory", network: "Network", disk: "Disk" };

/** Outlives the view: whoever comes back to it finds what was gathered. */
const sinceOpened = new SinceOpened();

const tile = (name, figure, ...details) =>
  h("div", { class: "tile" }, h("h2", {}, name), h("p", { class: "figure" }, figure), ...details);

/** A figure of how much of the whole is in use. Of a part of the nodes no share is alarming. */
function usedTile(name, used, whole, format, { isWhole }) {
  const inUse = share(used, whole);
  const detail =
    inUse === null ? null : h("p", { class: "detail" }, `${percent(inUse)} of ${format(whole)}`);
  return tile(name, format(used), meter(inUse, { isBound: isWhole }), detail);
}

/** From how many nodes the sums are, where not from all, or from when. */
const origin = (total) => {
  if (total.isPast)
    return `No node reports: these are the last figures, of ${clock(Date.parse(total.heardAt))}.`;
  return total.stale > 0
    ? `From ${count(total.reporting)} of ${plural(total.nodes, "node")}: of the others nothing was heard lately.`
    : null;
};

function nodesTile(total) {
  const troubles = [
    total.notReady > 0 ? badge(`${count(total.notReady)} not ready`, "bad") : null,
    total.stale > 0 ? badge(`${count(total.stale)} silent`) : null,
  ];
  const detail = troubles.some(Boolean)
    ? troubles
    : h("p", { class: "detail" }, total.isReadinessKnown ? "all ready" : "all reporting");
  return tile("Nodes", `${count(total.well)} / ${count(total.nodes)}`, detail);
}

function tiles(total) {
  const sum = (one, other) =>
    total[one] === null && total[other] === null ? null : (total[one] ?? 0) + (total[other] ?? 0);
  const ways = (one, two) =>
    h(
      "p",
      { class: "detail" },
      h("span", {}, `↓ ${rate(total[one])}`),
      " ",
      h("span", {}, `↑ ${rate(total[two])}`),
    );
  const [rx, tx] = ["network_rx_bytes_per_second", "network_tx_bytes_per_second"];
  const [read, write] = ["disk_read_bytes_per_second", "disk_write_bytes_per_second"];
  const whole = { isWhole: total.stale === 0 };
  return [
    usedTile("CPU", total.cpu_millicores, total.cpu_capacity_millicores, cpu, whole),
    usedTile("Memory", total.memory_used_bytes, total.memory_total_bytes, bytes, whole),
    tile("Network", rate(sum(rx, tx)), ways(rx, tx)),
    tile("Disk", rate(sum(read, write)), ways(read, write)),
    nodesTile(total),
    tile(
      "Pods",
      count(total.pods),
      h("p", { class: "detail" }, plural(total.containers, "container")),
    ),
  ];
}

/** Those to be looked at, then the busiest; both have a place, however many there are of one. */
function mostTelling(nodes) {
  const flagged = nodes.filter(isFlagged);
  const busiest = nodes
    .filter((node) => !isFlagged(node))
    .sort((one, other) => (other.cpu_usage_percent ?? -1) - (one.cpu_usage_percent ?? -1));
  const room = Math.max(NODES_SHOWN / 2, NODES_SHOWN - busiest.length);
  return [...flagged.slice(0, room), ...busiest].slice(0, NODES_SHOWN);
}

/** Top lists are short: a column less each. */
const without = (columns, ...labels) =>
  columns
    .filter(({ label }) => !labels.includes(label))
    .map((column) => ({ ...column, sort: null }));

export function overview(context) {
  const { client } = context;
  let range = RANGES[chosenRange()];
  let measure = "cpu";
  const past = (parameters, signal) =>
    client.list(apiPath("nodes"), parameters, signal).then(({ items }) => addedByTime(items));
  let history = null;

  const charts = new EntityCharts(["cpu", "totalMemory", "network", "disk"]);
  const pods = new Table({
    caption: "Pods",
    ...POD,
    columns: without(podColumns(null, ["node", "workload"]), "Phase", "Restarts", "OOM kills"),
  });
  const namespaces = new Table({
    caption: "Namespaces",
    ...NAMESPACE,
    columns: without(namespaceColumns(null)),
  });
  const nodesTable = new Table({
    caption: "Nodes",
    ...NODE,
    columns: nodeColumns(null).map((column) => ({ ...column, sort: null })),
  });
  const [tileBox, originNote, chartNote, allNodes] = [
    h("div", { class: "tiles" }),
    h("p", { class: "intro origin" }),
    h("p", { class: "intro" }),
    h("p", { class: "more" }),
  ];
  const allPods = h("p", { class: "more" });
  const allNamespaces = h("p", { class: "more" });
  const choose = (chosen) => {
    range = chosen;
    history = null;
    context.reload();
  };
  const measures = measurePicker((chosen) => {
    measure = chosen;
    consumers.dataset.measure = chosen;
    context.reload();
  });
  const consumers = h(
    "div",
    { class: "consumers", "data-measure": measure },
    h("div", {}, pods.element, allPods),
    h("div", {}, namespaces.element, allNamespaces),
  );
  const nothing = h("div", { class: "empty", hidden: true });
  const something = h(
    "div",
    {},
    tileBox,
    originNote,
    charts.element,
    chartNote,
    h(
      "section",
      { class: "part" },
      h("header", { class: "part-head" }, h("h2", {}, "Top consumers"), measures),
      consumers,
    ),
    h("section", { class: "part" }, h("h2", {}, "Nodes"), nodesTable.element, allNodes),
  );
  const element = h(
    "section",
    { class: "view" },
    h(
      "header",
      { class: "view-head" },
      h("h1", { tabindex: "-1" }, "Cluster"),
      rangePicker(choose),
    ),
    nothing,
    something,
  );
  something.hidden = true;

  /** Draws the charts from all nodes' past in such steps, or from what was seen of them so far. */
  async function showPast(steps, total, signal) {
    fill(
      chartNote,
      steps
        ? null
        : "The charts begin when this page was opened: the past of so many nodes is not added up here, over this link.",
    );
    if (!steps) return charts.update(sinceOpened.samples, total, range, client.now());
    if (history?.range.step !== steps.step) history = new History(past, steps);
    await history.load(signal);
    charts.update(history.samples, total, steps, client.now());
  }

  async function load(signal) {
    const { items: nodes } = await client.list(apiPath("nodes"), {}, signal);
    nothing.hidden = nodes.length > 0;
    something.hidden = nodes.length === 0;
    if (nodes.length === 0) return nothing.replaceChildren(...noNodes());

    const total = totals(nodes);
    fill(tileBox, tiles(total));
    tileBox.classList.toggle("past", total.isPast);
    fill(originNote, origin(total));
    nodesTable.update(mostTelling(nodes));
    fill(allNodes, link(["nodes"], `All ${plural(nodes.length, "node")} →`));
    sinceOpened.add(total);

    const top = { sort: `-${measure}`, limit: TOP };
    const topPods = await client.list(apiPath("pods"), top, signal);
    pods.update(topPods.items);
    const topNamespaces = await client.list(apiPath("namespaces"), top, signal);
    namespaces.update(topNamespaces.items);
    fill(allPods, link(["pods"], "All pods →", { sort: top.sort }));
    fill(allNamespaces, link(["namespaces"], "All namespaces →", { sort: top.sort }));

    // The largest answer of all comes last: on a slow link everything else is there by then.
    await showPast(coarsened(range, nodes.length, client.bytesPerSecond), total, signal);
  }
  return { title: "Cluster", element, load };
}

function measurePicker(choose) {
  const buttons = Object.entries(MEASURES).map(([name, label]) => {
    const onclick = () => {
      for (const button of buttons)
        button.setAttribute("aria-pressed", String(button.dataset.measure === name));
      choose(name);
    };
    return h(
      "button",
      { type: "button", "data-measure": name, "aria-pressed": String(name === "cpu"), onclick },
      label,
    );
  });
  return h("div", { class: "segmented", role: "group", "aria-label": "Top consumers of" }, buttons);
}
