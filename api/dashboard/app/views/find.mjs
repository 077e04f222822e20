// What the search field finds: nodes and namespaces by a part of their names, pods by their whole
// name or UID. The API cannot look for a part of a pod's name.

import { apiPath, Problem } from "../api.mjs";
import { link } from "../cells.mjs";
import { fill, h } from "../dom.mjs";
import { NAMESPACE, NODE, POD } from "../entities.mjs";
import { build } from "../router.mjs";

const MOST = 50;

/** Those whose name has the text in it, whole names first. */
export function named(items, name, text) {
  const wanted = text.toLowerCase();
  const place = (item) =>
    name(item).toLowerCase() === wanted ? 0 : name(item).toLowerCase().startsWith(wanted) ? 1 : 2;
  return items
    .filter((item) => name(item).toLowerCase().includes(wanted))
    .sort((one, other) => place(one) - place(other))
    .slice(0, MOST);
}

/** The pods of this name: one, or one of each namespace that has it. */
async function podsNamed(client, name, signal) {
  try {
    const pod = await client.newest(apiPath("pods", name), signal);
    return pod ? [pod] : [];
  } catch (error) {
    if (!(error instanceof Problem)) throw error;
    const { namespaces = [] } = error.problem;
    if (error.status === 409) return namespaces.map((namespace) => ({ namespace, pod_name: name }));
    if (error.status === 404) return [];
    throw error;
  }
}

export function find(context) {
  const { client } = context;
  const text = (context.route.query.q ?? "").trim();
  const results = h("div", { class: "found", "aria-live": "polite" });
  const list = (heading, items, entity, about = () => null) =>
    items.length === 0
      ? null
      : h(
          "section",
          { class: "part" },
          h("h2", {}, heading),
          h(
            "ul",
            {},
            items.map((item) =>
              h("li", {}, link(entity.page(item), entity.name(item)), about(item)),
            ),
          ),
        );

  async function load(signal) {
    const pods = await podsNamed(client, text, signal);
    const nodes = named((await client.list(apiPath("nodes"), {}, signal)).items, NODE.name, text);
    const namespaces = named(
      (await client.list(apiPath("namespaces"), {}, signal)).items,
      NAMESPACE.name,
      text,
    );
    const all = [...pods.map(POD.page), ...nodes.map(NODE.page), ...namespaces.map(NAMESPACE.page)];
    if (all.length === 1) return context.navigate(build(all[0]), { replace: true });
    const where = (pod) => h("small", {}, ` in ${pod.namespace ?? "an unknown namespace"}`);
    fill(
      results,
      list("Pods", pods, POD, where),
      list("Nodes", nodes, NODE),
      list("Namespaces", namespaces, NAMESPACE),
    );
    if (all.length === 0)
      fill(results, h("div", { class: "empty" }, h("h2", {}, "Nothing found"), h("p", {}, hint)));
  }
  const hint =
    "Nodes and namespaces are found by a part of their names, pods by their whole name or UID. To narrow pods down, list them by namespace, node or labels.";
  const element = h(
    "section",
    { class: "view" },
    h("header", { class: "view-head" }, h("h1", { tabindex: "-1" }, `Search: ${text}`)),
    results,
  );
  return { title: `Search: ${text}`, element, load, once: true };
}
