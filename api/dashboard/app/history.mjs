// The recent past of one thing, fetched once and then only as far as it is new.

/** Spans to choose from, each in steps that make a line of 60 to 120 points. */
export const RANGES = {
  "5m": { label: "5 min", seconds: 300, step: 5 },
  "15m": { label: "15 min", seconds: 900, step: 10 },
  "1h": { label: "1 h", seconds: 3600, step: 30 },
};

/** Frames may come late, so the last few steps are asked for again: they may be fuller by now. */
const ASKED_AGAIN = 4;

export class History {
  #fetch;
  #range;
  samples = [];

  /** `fetch(parameters, signal)` gives samples, oldest first. */
  constructor(fetch, range) {
    this.#fetch = fetch;
    this.#range = range;
  }

  /** Brings the samples up to date. */
  async load(signal) {
    const { seconds, step } = this.#range;
    const from = this.samples.at(-ASKED_AGAIN) ?? this.samples[0];
    const span = from ? { start: from.timestamp } : { window: seconds };
    const fresh = await this.#fetch({ ...span, step }, signal);
    this.samples = joined(this.samples, fresh, seconds);
  }
}

/**
 * `older` with `fresh` in the place of what is as new, and without what is older than so many
 * seconds before the newest. Timestamps of one form sort as text.
 */
export function joined(older, fresh, seconds) {
  const from = fresh[0]?.timestamp;
  const all = from === undefined ? older : [...older.filter((sample) => sample.timestamp < from), ...fresh];
  const newest = all.at(-1)?.timestamp;
  if (newest === undefined) return all;
  const oldest = Date.parse(newest) - seconds * 1000;
  return all.filter((sample) => Date.parse(sample.timestamp) >= oldest);
}

/** A field of samples as points of a chart. */
export const points = (samples, field) => samples.map((sample) => [Date.parse(sample.timestamp), sample[field] ?? null]);

/** The moments at which a counter had risen: when the kernel killed for want of memory. */
export function rises(samples, field) {
  const known = samples.filter((sample) => typeof sample[field] === "number");
  return known
    .slice(1)
    .filter((sample, place) => sample[field] > known[place][field])
    .map((sample) => Date.parse(sample.timestamp));
}
