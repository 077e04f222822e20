// What a reader is told when the server cannot give what a page needs.

import { Problem, Unreachable } from "./api.mjs";
import { link } from "./cells.mjs";
import { h } from "./dom.mjs";
import { clock } from "./format.mjs";
import { EVERY_MS } from "./poll.mjs";

/** What the server says, with the names it quotes set apart. */
const quoted = (message) =>
  message.split("`").map((part, place) => (place % 2 === 1 ? h("code", {}, part) : part));

/**
 * Why a page cannot be shown although the server is well: what was asked for is not there, is not
 * the only one, or cannot be asked. `segments` are those of the page.
 */
export function explained({ status, message, problem }, segments) {
  if (status === 409) {
    const name = segments.at(-1);
    const choices = (problem.namespaces ?? []).map((namespace) =>
      h("li", {}, link(["pods", namespace, name], `${namespace} / ${name}`)),
    );
    return [
      h("h1", {}, "Which one?"),
      h("p", {}, "Several namespaces have a pod of this name."),
      h("ul", {}, choices),
    ];
  }
  if (status === 404) {
    const [section] = segments;
    return [
      h("h1", {}, "Not here"),
      h("p", {}, "The server says: ", quoted(message), "."),
      h(
        "p",
        {},
        "It may have ended longer ago than the server remembers, or has not been measured yet. ",
        "If it turns up, this page shows it. ",
        link([section], `All ${section}`),
      ),
    ];
  }
  return [h("p", {}, "The server cannot answer this: ", quoted(message), ".")];
}

/** Why what is shown may be old: `lastHeard` is when it was brought up to date. */
export function troubled(failure, lastHeard) {
  const since =
    lastHeard === null
      ? "Nothing was heard from it yet."
      : `Last heard from it at ${clock(lastHeard)}; what is shown is from then.`;
  const again = `Trying again every ${EVERY_MS / 1000} s.`;
  return [h("b", {}, whatFailed(failure)), ` ${since} ${again}`];
}

function whatFailed(failure) {
  if (failure instanceof Unreachable) return `The server cannot be reached. ${failure.message}`;
  if (failure instanceof Problem) return `The server has a problem: ${failure.message}.`;
  console.error(failure);
  return "The dashboard failed at showing what the server answered.";
}
