// The last minutes of every row of a table, for its small lines: fetched once for a page of rows,
// then carried on with the figures that the table gets anyway.

export const SPARK_SECONDS = 300;
export const SPARK_STEP = 15;

export class Sparks {
  #key;
  #fields;
  #rows = new Map();
  #newest = 0;

  /** `key(row)` tells rows apart; `fields` are those that have a line. */
  constructor(key, fields) {
    this.#key = key;
    this.#fields = fields;
  }

  /** Those of these rows whose past is not here: all of them at first, then those that climb in. */
  lacking(rows) {
    return rows.filter((row) => !this.#rows.has(this.#key(row)));
  }

  /** Takes what was asked of one row over a span of time. */
  takePastOf(row, samples) {
    for (const sample of samples) this.#put(this.#key(row), sample);
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

  /** A row's line, over the same minutes as that of every other row. */
  line(row, field) {
    const steps = this.#rows.get(this.#key(row)) ?? new Map();
    const points = [...steps.entries()]
      .sort(([one], [other]) => one - other)
      .map(([time, values]) => [time, values[field]]);
    return {
      points,
      from: this.#newest - SPARK_SECONDS * 1000,
      to: this.#newest,
      step: SPARK_STEP * 1000,
    };
  }

  #put(key, sample) {
    const steps = this.#rows.get(key) ?? new Map();
    this.#rows.set(key, steps);
    const step = SPARK_STEP * 1000;
    const time = Math.floor(Date.parse(sample.timestamp) / step) * step;
    steps.set(
      time,
      Object.fromEntries(this.#fields.map((field) => [field, sample[field] ?? null])),
    );
    this.#newest = Math.max(this.#newest, time);
    for (const old of steps.keys())
      if (old < this.#newest - SPARK_SECONDS * 1000) steps.delete(old);
  }
}
