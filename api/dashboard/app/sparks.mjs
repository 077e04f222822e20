// The last minutes of every row of a table, for its small lines: fetched once for a page of rows,
// then carried on with the figures that the table gets anyway.

export const SPARK_SECONDS = 300;
export const SPARK_STEP = 15;

export class Sparks {
  #key;
  #fields;
  #rows = new Map();

  /** `key(row)` tells rows apart; `fields` are those that have a line. */
  constructor(key, fields) {
    this.#key = key;
    this.#fields = fields;
  }

  /** Whether most of these rows are new, so that asking for their past is worth it. */
  isShortOf(rows) {
    return rows.filter((row) => !this.#rows.has(this.#key(row))).length * 2 > rows.length;
  }

  /** Takes what a list over a span of time answered. */
  takePast(items) {
    for (const item of items) {
      for (const sample of item.samples) this.#put(this.#key(item), sample);
    }
  }

  /** Takes the newest sample of each row, and forgets rows that are no longer there. */
  take(rows) {
    const keys = new Set(rows.map(this.#key));
    for (const key of this.#rows.keys()) if (!keys.has(key)) this.#rows.delete(key);
    for (const row of rows) this.#put(this.#key(row), row);
  }

  /** The points of a row's line, oldest first. */
  points(row, field) {
    const steps = this.#rows.get(this.#key(row));
    if (!steps) return [];
    return [...steps.entries()].sort(([one], [other]) => one - other).map(([time, values]) => [time, values[field]]);
  }

  #put(key, sample) {
    const steps = this.#rows.get(key) ?? new Map();
    this.#rows.set(key, steps);
    const step = SPARK_STEP * 1000;
    const time = Math.floor(Date.parse(sample.timestamp) / step) * step;
    steps.set(time, Object.fromEntries(this.#fields.map((field) => [field, sample[field] ?? null])));
    const newest = Math.max(...steps.keys());
    for (const old of steps.keys()) if (old < newest - SPARK_SECONDS * 1000) steps.delete(old);
  }
}
