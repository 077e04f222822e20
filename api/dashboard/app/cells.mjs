// What stands in cells and beside headings: links, bars, figures, badges.

import { h } from "./dom.mjs";
import { ABSENT, clock, percent, rate, share } from "./format.mjs";
import { build } from "./router.mjs";
import { sparkline } from "./sparkline.mjs";

/** A link to a page of the dashboard; only its text where there is nothing to lead to. */
export const link = (segments, text, query) =>
  segments ? h("a", { href: build(segments, query) }, text) : h("span", {}, text ?? ABSENT);

/** The same in a cell too narrow for long names: the whole name is shown to whoever points at it. */
export const nameLink = (segments, name) =>
  Object.assign(link(segments, name), { title: name ?? "" });

/** A short word in a box; `tone` is good, bad, warn or plain. */
export const badge = (text, tone = "plain") => h("span", { class: `badge ${tone}` }, text);

/** That nothing was heard of something since. Not a fault of what is shown, so not red. */
export const silence = (timestamp) => badge(`silent since ${clock(Date.parse(timestamp))}`);

/** Red means trouble: more than was asked for is none, only what cannot grow any more is. */
export const toneOf = (used, isBound = true) =>
  !isBound ? "calm" : used >= 90 ? "high" : used >= 75 ? "raised" : "calm";

/**
 * A bar that is as full as something is used; nothing where that is not known. `isBound` says that
 * there is no more to be had than the whole.
 */
export function meter(used, { title = null, isBound = true } = {}) {
  if (used === null) return null;
  const width = Math.min(100, Math.max(0, used)).toFixed(1);
  return h(
    "span",
    { class: `meter ${toneOf(used, isBound)}`, title },
    h("span", { style: `width:${width}%` }),
  );
}

/**
 * A figure with a bar of its share of `whole` below, and its last minutes beside. `of` says what the
 * whole is: `request`, `limit`, `node`.
 */
export function usage({ text, used, whole, of, line, color }) {
  const inUse = share(used, whole);
  const title = inUse === null ? null : `${percent(inUse)} of ${of}`;
  return [
    line ? sparkline(line, color) : null,
    h(
      "span",
      { class: "amount", title },
      text,
      inUse === null ? null : h("small", { class: "of" }, title),
      meter(inUse, { isBound: of !== "request" }) ?? h("span", { class: "meter unknown" }),
    ),
  ];
}

/** Two directions of traffic. */
export function traffic(inwards, outwards, [inLabel, outLabel]) {
  return [
    h("span", { class: "way", title: inLabel }, h("i", {}, "↓"), rate(inwards)),
    h("span", { class: "way", title: outLabel }, h("i", {}, "↑"), rate(outwards)),
  ];
}

/** A command to be copied. */
export const command = (text) => h("code", { class: "command" }, text);
