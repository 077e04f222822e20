// A table whose columns know how to show a row, and whose headers sort it.

import { fill, h, reconcile } from "./dom.mjs";

/**
 * What pressing a header makes of the order in use: the largest figures first, names from a to z
 * first, and the other way round when pressed again. `-` is for descending, as in the API.
 */
export function nextSort(present, by) {
  if (present === by) return `-${by}`;
  if (present === `-${by}`) return by;
  return by === "name" ? "name" : `-${by}`;
}

/** How a column is sorted, in the words of `aria-sort`; null for one that cannot be. */
export function sortState(sort, column) {
  if (!column.sort) return null;
  if (sort === column.sort) return "ascending";
  return sort === `-${column.sort}` ? "descending" : "none";
}

export class Table {
  #columns;
  #key;
  #head = h("tr");
  #body = h("tbody");

  /**
   * `columns` is `[{ label, sort, kind, cell(row) }, …]`: `sort` is the API's word for it, `kind`
   * a class for how it looks. `key(row)` tells rows apart. `onSort(by)` hears of pressed headers.
   */
  constructor({ caption, columns, key, onSort }) {
    this.#columns = columns;
    this.#key = key;
    this.#head.append(...columns.map((column) => header(column, onSort)));
    this.element = h(
      "div",
      { class: "table-frame", tabindex: "0", role: "region", "aria-label": caption },
      h("table", {}, h("caption", { class: "unseen" }, caption), h("thead", {}, this.#head), this.#body),
    );
  }

  /** Shows in the headers what the rows are sorted by. */
  showSort(sort) {
    for (const [place, column] of this.#columns.entries()) {
      const state = sortState(sort, column);
      if (state) this.#head.children[place].setAttribute("aria-sort", state);
    }
  }

  /** Shows rows; figures that did not change are left alone. */
  update(rows) {
    const create = () => h("tr", {}, this.#columns.map(({ kind }) => h("td", { class: kind })));
    reconcile(this.#body, rows, this.#key, create, (element, row) => {
      for (const [place, { cell }] of this.#columns.entries()) fill(element.children[place], cell(row));
    });
  }
}

function header({ label, sort, kind }, onSort) {
  const content = sort ? h("button", { type: "button", onclick: () => onSort(sort) }, label) : label;
  return h("th", { class: kind, scope: "col" }, content);
}
