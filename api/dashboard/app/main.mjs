// The frame around every page: navigation, search, theme, how fresh the figures are; and the loop
// that brings them up to date.

import { Client, Problem } from "./api.mjs";
import { link } from "./cells.mjs";
import { fill, h } from "./dom.mjs";
import * as format from "./format.mjs";
import { explained, troubled } from "./messages.mjs";
import { EVERY_MS, Poller } from "./poll.mjs";
import { build, match, parse } from "./router.mjs";
import * as theme from "./theme.mjs";
import { namespace, node, unit, workload } from "./views/details.mjs";
import { find } from "./views/find.mjs";
import { namespaces, nodes, pods, units } from "./views/lists.mjs";
import { overview } from "./views/overview.mjs";
import { pod } from "./views/pod.mjs";
import { workloads } from "./views/workloads.mjs";

const ROUTES = [
  { path: [], view: overview },
  { path: ["nodes"], view: nodes },
  { path: ["nodes", ":node"], view: node },
  { path: ["nodes", ":node", "units", ":unit"], view: unit },
  { path: ["namespaces"], view: namespaces },
  { path: ["namespaces", ":namespace"], view: namespace },
  { path: ["workloads"], view: workloads },
  { path: ["workloads", ":namespace", ":kind", ":name"], view: workload },
  { path: ["pods"], view: pods },
  { path: ["pods", ":pod"], view: pod },
  { path: ["pods", ":namespace", ":pod"], view: pod },
  { path: ["units"], view: units },
  { path: ["find"], view: find },
];

const SECTIONS = [
  [[], "Overview"],
  [["nodes"], "Nodes"],
  [["namespaces"], "Namespaces"],
  [["workloads"], "Workloads"],
  [["pods"], "Pods"],
  [["units"], "Units"],
];

const client = new Client({ onSlow: (bytes) => showSlowness(bytes) });
const page = h("main", { id: "page" });
const banner = h("div", { class: "banner", role: "alert", hidden: true });
const notice = h("div", { class: "notice", role: "status", hidden: true });
const freshness = h("span", { class: "freshness" });
const navigation = h(
  "nav",
  { class: "sections", "aria-label": "Sections" },
  SECTIONS.map(([segments, label]) => link(segments, label)),
);
const search = h("input", {
  type: "search",
  name: "q",
  placeholder: "Find a node, pod, namespace",
  "aria-label": "Find a node, pod or namespace; press / to come here",
  autocomplete: "off",
  spellcheck: "false",
});

let view = null;
let shown = null;
let poller = null;
let lastHeard = null;

function navigate(fragment, { replace = false } = {}) {
  if (replace) location.replace(fragment);
  else location.hash = fragment;
}

/** Shows what the address says: the same view with another question, or another view. */
function follow() {
  const route = parse(location.hash);
  const path = build(route.segments);
  markSection(route.segments[0] ?? "");
  if (view?.routeChanged && path === shown) {
    view.routeChanged(route);
    poller.restart();
    return;
  }
  const isFirst = shown === null;
  shown = path;
  poller?.stop();
  const found = match(ROUTES, route.segments);
  if (!found) return showNowhere();
  const context = { client, route, navigate, reload: () => poller.restart() };
  view = found.route.view(context, found.names);
  open(view, isFirst);
}

function open(opened, isFirst) {
  document.title = `${opened.title} · kubemonitor`;
  notice.hidden = true;
  page.replaceChildren(opened.element);
  page.classList.add("waiting");
  window.scrollTo(0, 0);
  // Readers of screens hear where they are; those who just came have not gone anywhere.
  if (!isFirst) opened.element.querySelector("h1")?.focus({ preventScroll: true });
  poller = new Poller(
    (signal) => opened.load(signal),
    (failure) => report(failure, opened),
    {
      isVisible: () => document.visibilityState === "visible",
    },
  );
  poller.restart();
}

function showNowhere() {
  view = null;
  document.title = "Not found · kubemonitor";
  page.replaceChildren();
  say([h("h1", {}, "There is no such page"), h("p", {}, link([], "To the overview"))]);
}

function say(content) {
  fill(notice, content);
  notice.hidden = false;
}

function report(failure, opened) {
  page.classList.remove("waiting");
  if (failure === null) {
    lastHeard = Date.now();
    banner.hidden = true;
    notice.hidden = true;
    opened.element.hidden = false;
    if (opened.once) poller.stop();
  } else if (failure instanceof Problem && [400, 404, 409].includes(failure.status)) {
    // The server is well; what was asked for is not there, or cannot be asked.
    lastHeard = Date.now();
    banner.hidden = true;
    opened.element.hidden = failure.status !== 400;
    say(explained(failure, parse(location.hash).segments));
  } else {
    warn(failure);
  }
  showFreshness(failure);
}

function warn(failure) {
  fill(banner, troubled(failure, lastHeard));
  banner.hidden = false;
}

function showFreshness(failure) {
  const isLost = failure !== null && !(failure instanceof Problem && failure.status < 500);
  freshness.className = `freshness ${isLost ? "lost" : "live"}`;
  freshness.title = isLost
    ? "The server does not answer"
    : `Brought up to date every ${EVERY_MS / 1000} s while this page is visible`;
  fill(freshness, h("i", {}), h("span", {}, isLost ? "lost" : format.clock(lastHeard)));
}

/** Something comes, but slowly: neither lost nor fresh. */
function showSlowness(bytes) {
  freshness.className = "freshness slow";
  freshness.title = "The link to the server is slow";
  fill(freshness, h("i", {}), h("span", {}, `slow: ${format.bytes(bytes)} so far`));
}

function markSection(section) {
  for (const [place, [segments]] of SECTIONS.entries()) {
    const isHere = (segments[0] ?? "") === section;
    const entry = navigation.children[place];
    if (isHere) entry.setAttribute("aria-current", "page");
    else entry.removeAttribute("aria-current");
    // On narrow screens the sections are pushed along.
    if (isHere) entry.scrollIntoView({ block: "nearest", inline: "nearest" });
  }
}

function themeSwitch() {
  const button = h("button", { type: "button", class: "theme" });
  const label = () => {
    const [now, next] = [theme.current(), theme.after(theme.current())];
    button.textContent = { system: "◐", light: "☀", dark: "☾" }[now];
    button.title = `Theme: ${now}. Press for ${next}.`;
    button.setAttribute("aria-label", button.title);
  };
  button.onclick = () => {
    theme.choose(theme.after(theme.current()));
    label();
  };
  label();
  return button;
}

function searchForm() {
  const onsubmit = (event) => {
    event.preventDefault();
    const q = search.value.trim();
    if (q) navigate(build(["find"], { q }));
  };
  return h(
    "form",
    { class: "search", role: "search", onsubmit },
    search,
    h("kbd", { "aria-hidden": "true" }, "/"),
  );
}

function start() {
  const brand = h(
    "a",
    { class: "brand", href: "#/" },
    h("img", { src: "favicon.svg", alt: "", width: 20, height: 20 }),
    "kubemonitor",
  );
  const links = h(
    "footer",
    { class: "foot" },
    h("a", { href: "docs" }, "API"),
    h("a", { href: "openapi.json" }, "OpenAPI"),
    h("a", { href: "metrics" }, "Server metrics"),
  );
  const skip = h("a", { class: "skip", href: "#page", onclick: skipToPage }, "Skip to content");
  const bar = h(
    "header",
    { class: "bar" },
    brand,
    navigation,
    searchForm(),
    freshness,
    themeSwitch(),
  );
  document.body.replaceChildren(skip, bar, banner, notice, page, links);
  addEventListener("hashchange", follow);
  document.addEventListener("visibilitychange", () => poller?.visibilityChanged());
  document.addEventListener("keydown", searchOnSlash);
  follow();
}

/** The fragment is the address of a page here, so the link to the content moves the focus itself. */
function skipToPage(event) {
  event.preventDefault();
  page.querySelector("h1")?.focus();
}

function searchOnSlash(event) {
  const isTyping = event.target.closest?.("input, select, textarea");
  if (event.key !== "/" || isTyping || event.ctrlKey || event.metaKey || event.altKey) return;
  event.preventDefault();
  search.focus();
  search.select();
}

start();
