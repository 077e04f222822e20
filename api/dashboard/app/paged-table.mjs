// A list of the API as a table: a page of it at a time, in the order the server sorts it. A cluster
// may have 150,000 pods, and nobody reads them all.

import { h } from "./dom.mjs";
import { count } from "./format.mjs";
import { SPARK_SECONDS, SPARK_STEP, Sparks } from "./sparks.mjs";
import { Table, nextSort } from "./table.mjs";

export const PAGE_ROWS = 100;

/** So many rows that climbed in are asked for one by one each time; of more, the whole page is. */
const FEW_ROWS = 8;

/**
 * By a page's token that of the page before: the API only leads forward. Kept while the dashboard
 * is open; a page that was reached by a link leads back to the first one.
 */
const before = new Map();

export class PagedTable {
  #list;
  #key;
  #name;
  #path;
  #one;
  #turn;
  #table;
  #sparks;
  #empty;
  #state;
  #rows = [];
  #next = null;
  #filter = "";
  #pager = h("nav", { class: "pager", "aria-label": "Pages", hidden: true });
  #message = h("div", { class: "empty", hidden: true });

  /**
   * `list(parameters, signal)` asks the API, and `one(path, parameters, signal)` for one row of it.
   * `columns(sparks)` makes the columns. `entity` tells rows apart and names them. `empty()` is what
   * to say when there are none. `turn(state)` is told when the reader wants another order or page;
   * the state is `{ sort, token, page }`.
   */
  constructor({ list, one, caption, columns, entity, sparkFields, sort, empty, turn }) {
    this.#list = list;
    this.#one = one;
    this.#path = entity.path;
    this.#key = entity.key;
    this.#name = entity.name;
    this.#turn = turn;
    this.#empty = empty;
    this.#sparks = sparkFields ? new Sparks(entity.key, sparkFields) : null;
    this.#state = { sort, token: "", page: 1 };
    const onSort = (by) => this.#turn({ sort: nextSort(this.#state.sort, by), token: "", page: 1 });
    this.#table = new Table({ caption, columns: columns(this.#sparks), ...entity, onSort });
    this.element = h("div", { class: "paged" }, this.#table.element, this.#message, this.#pager);
    this.#table.showSort(sort);
  }

  /** Shows another order or page, from the next load on. */
  show(state) {
    this.#state = { ...this.#state, ...state };
    this.#table.showSort(this.#state.sort);
  }

  /** Shows only rows of this page whose name has a text in it. */
  filter(text) {
    this.#filter = text.trim().toLowerCase();
    this.#draw();
  }

  /** Says anew why there are no rows, where there are none: more may be known by now. */
  explain() {
    if (this.#rows.length === 0) this.#draw();
  }

  /** Brings the rows up to date, and fetches their past where it is missing. */
  async load(signal) {
    const { sort, token } = this.#state;
    const asked = { sort, limit: PAGE_ROWS, continue: token };
    const { items, next } = await this.#list(asked, signal);
    [this.#rows, this.#next] = [items, next];
    const lacking = this.#sparks?.lacking(items) ?? [];
    this.#sparks?.take(items);
    this.#draw();
    if (lacking.length === 0) return;
    await this.#loadPast(lacking, asked, signal);
    this.#sparks.take(items);
    this.#draw();
  }

  /** Fetches what these rows were like in the last minutes. */
  async #loadPast(rows, asked, signal) {
    const span = { window: SPARK_SECONDS, step: SPARK_STEP };
    if (rows.length > FEW_ROWS || !this.#path || !this.#one) {
      const past = await this.#list({ ...asked, ...span }, signal);
      return this.#sparks.takePast(past.items);
    }
    for (const row of rows) {
      const past = await this.#one(this.#path(row), span, signal);
      this.#sparks.takePastOf(row, past);
    }
  }

  #draw() {
    const has = (row) => this.#name(row).toLowerCase().includes(this.#filter);
    const shown = this.#filter ? this.#rows.filter(has) : this.#rows;
    this.#table.update(shown);
    this.#table.element.hidden = shown.length === 0;
    this.#message.hidden = shown.length > 0;
    if (shown.length === 0) this.#message.replaceChildren(...this.#nothing());
    this.#drawPager(shown.length);
  }

  #nothing() {
    if (this.#rows.length > 0)
      return [
        `None of the ${this.#rows.length} rows of this page has “${this.#filter}” in its name.`,
      ];
    return this.#state.page > 1 ? ["There are no more."] : [this.#empty()].flat();
  }

  #drawPager(shown) {
    const { sort, token, page } = this.#state;
    const isWhole = page === 1 && this.#next === null;
    this.#pager.hidden = isWhole && this.#rows.length < 20;
    const first = (page - 1) * PAGE_ROWS + 1;
    const last = first + this.#rows.length - 1;
    const place = isWhole
      ? `${count(this.#rows.length)} rows`
      : `Rows ${count(first)} to ${count(last)}`;
    const filtered = shown < this.#rows.length ? `, ${count(shown)} of them shown` : "";
    const previous = () =>
      this.#turn({ sort, token: before.get(token) ?? "", page: before.has(token) ? page - 1 : 1 });
    const forward = () => {
      before.set(this.#next, token);
      this.#turn({ sort, token: this.#next, page: page + 1 });
    };
    const button = (label, onclick, isPossible) =>
      h("button", { type: "button", disabled: !isPossible, onclick }, label);
    // Pressed buttons keep the focus, so that paging by keyboard goes on.
    const focused = [...this.#pager.children].indexOf(document.activeElement);
    this.#pager.replaceChildren(
      button("← Previous", previous, page > 1),
      h("span", {}, place + filtered),
      button("Next →", forward, this.#next !== null),
    );
    this.#pager.children[focused]?.focus({ preventScroll: true });
  }
}

/**
 * A table that turns its own pages, for pages with several of them: `reload()` asks anew after the
 * reader chose another order or page.
 */
export function selfTurning(options, reload) {
  const table = new PagedTable({
    ...options,
    turn(state) {
      table.show(state);
      reload();
    },
  });
  return table;
}
