// A page that is one list: its heading, its filters, its table. Order, filters and page stand in the
// address, so that a list can be sent to somebody and the back button returns to it.

import { h } from "./dom.mjs";
import { PagedTable } from "./paged-table.mjs";
import { build } from "./router.mjs";

/** As many suggestions for a filter as are of use. */
const SUGGESTIONS = 500;

/**
 * `filters` is `[{ name, label, placeholder, suggest }, …]`, where `suggest(parameters, signal)`
 * lists what can be chosen and `suggested(item)` names it. `list(query, parameters, signal)` asks
 * the API. `empty()` is what to say of no rows, and `filtered(filters)` of none that fit. Everything
 * else is as for PagedTable.
 */
export function listView(
  context,
  { title, intro, filters = [], list, sort, empty, filtered, ...table },
) {
  let { segments, query } = context.route;
  const go = (changes) => context.navigate(build(segments, { ...query, ...changes }));
  const one = (path, parameters, signal) =>
    context.client.list(path, parameters, signal).then(({ items }) => items);
  const none = () => {
    const given = choices.filter(({ name }) => query[name]);
    if (given.length === 0) return empty();
    return filtered(given.map((choice) => choice.described(query[choice.name])));
  };
  const rows = new PagedTable({
    ...table,
    one,
    empty: none,
    caption: title,
    sort: query.sort ?? sort,
    list: (parameters, signal) => list(query, parameters, signal),
    turn: ({ sort, token, page }) => go({ sort, continue: token, page: page > 1 ? page : "" }),
  });
  const choices = filters.map((filter) =>
    choice(filter, (value) => go({ [filter.name]: value, continue: "", page: "" })),
  );
  const element = h(
    "section",
    { class: "view" },
    h(
      "header",
      { class: "view-head" },
      h("h1", { tabindex: "-1" }, title),
      intro ? h("p", { class: "intro" }, intro) : null,
    ),
    h(
      "form",
      { class: "filters", onsubmit: (event) => event.preventDefault() },
      choices.map(({ element }) => element),
      rowFilter(rows),
    ),
    rows.element,
  );

  const show = () => {
    rows.show({
      sort: query.sort ?? sort,
      token: query.continue ?? "",
      page: Number(query.page) || 1,
    });
    for (const choice of choices) choice.show(query);
  };
  show();
  return {
    title,
    element,
    routeChanged(route) {
      ({ segments, query } = route);
      show();
    },
    async load(signal) {
      await rows.load(signal);
      for (const choice of choices) await choice.load(signal);
      rows.explain();
    },
  };
}

/** A filter that the server applies. */
function choice({ name, label, placeholder, suggest, suggested, options }, choose) {
  const id = `filter-${name}`;
  const onchange = (event) => choose(event.target.value.trim());
  const suggestions = h("datalist", { id: `${id}-known` });
  const input = options
    ? h(
        "select",
        { id, onchange },
        options.map(([value, text]) => h("option", { value }, text)),
      )
    : h("input", {
        id,
        type: "search",
        placeholder,
        autocomplete: "off",
        spellcheck: "false",
        list: suggest ? suggestions.id : null,
        onchange,
      });
  let isLoaded = !suggest;
  let known = [];
  return {
    name,
    described: (value) => ({ label, value, known }),
    element: h("label", { for: id }, h("span", {}, label), input, suggest ? suggestions : null),
    // Only ever called when the address has changed, and then the address is what holds: after Back,
    // what was typed does not, even where the field still has the focus.
    show(query) {
      input.value = query[name] ?? "";
    },
    async load(signal) {
      if (isLoaded) return;
      const { items } = await suggest({ limit: SUGGESTIONS }, signal);
      known = items.map(suggested);
      suggestions.replaceChildren(...known.map((value) => h("option", { value })));
      isLoaded = true;
    },
  };
}

/** A filter by name over the rows that are here: the API has none. */
function rowFilter(rows) {
  const oninput = (event) => rows.filter(event.target.value);
  const input = h("input", {
    id: "filter-rows",
    type: "search",
    placeholder: "part of a name",
    autocomplete: "off",
    spellcheck: "false",
    oninput,
  });
  return h("label", { for: "filter-rows" }, h("span", {}, "Name, on this page"), input);
}
