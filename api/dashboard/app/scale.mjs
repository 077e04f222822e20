// The arithmetic of charts: where values stand, where axes have their ticks, and where a line has
// to break off because nothing was measured.

/** A straight mapping of one range onto another. */
export function linear([from, to], [start, end]) {
  const factor = to === from ? 0 : (end - start) / (to - from);
  return (value) => start + (value - from) * factor;
}

/**
 * An axis from 0 to a round number at or above `max`, with about `wanted` ticks.
 * Binary units get powers of two between their ticks, since 1.5 GiB is round and 1.6 GiB is not;
 * things that are counted get no ticks between whole ones.
 */
export function axis(max, { wanted = 4, binary = false, whole = false } = {}) {
  const top = max > 0 && Number.isFinite(max) ? max : 1;
  let step = binary ? binaryStep(top / wanted) : decimalStep(top / wanted);
  if (whole) step = Math.max(1, step);
  const ticks = [];
  const last = Math.ceil(top / step - 1e-9);
  for (let place = 0; place <= last; place += 1) ticks.push(place * step);
  return { max: last * step, ticks };
}

function decimalStep(least) {
  const power = 10 ** Math.floor(Math.log10(least));
  // 0.1 + 0.2 is not 0.3: what is a hair above a round number is that number.
  const factor = [1, 2, 5].find((factor) => factor * power >= least * (1 - 1e-9)) ?? 10;
  return factor * power;
}

function binaryStep(least) {
  const power = Math.ceil(Math.log2(least) - 1e-9);
  return Math.max(1, 2 ** power);
}

const SECOND = 1000;
const MINUTE = 60 * SECOND;
const HOUR = 60 * MINUTE;
const TIME_STEPS = [
  ...[5, 10, 15, 30].map((seconds) => seconds * SECOND),
  ...[1, 2, 5, 10, 15, 30].map((minutes) => minutes * MINUTE),
  ...[1, 2, 3, 6, 12, 24].map((hours) => hours * HOUR),
];

/** The round moments of a span, at most `most` of them. */
export function timeTicks(from, to, most = 6) {
  const step = TIME_STEPS.find((step) => (to - from) / step <= most) ?? 24 * HOUR;
  const ticks = [];
  for (let at = Math.ceil(from / step) * step; at <= to; at += step) ticks.push(at);
  return { step, ticks };
}

/** The usual distance between moments: the median, which a gap does not move. */
export function usualSpacing(times) {
  const spacings = times
    .slice(1)
    .map((time, place) => time - times[place])
    .sort((a, b) => a - b);
  return spacings.length > 0 ? spacings[Math.floor(spacings.length / 2)] : null;
}

/**
 * The longest distance over which two points are still joined. Ticks come late and now and then one
 * is lost; beyond two and a half distances something was not measured, and a line would be made up.
 */
export function longestJoin(times, stepMs = 0) {
  return 2.5 * Math.max(usualSpacing(times) ?? 0, stepMs);
}

/**
 * Cuts points `[time, value]` into runs to be drawn as one line each: a null ends a run, and so
 * does a time without points.
 */
export function runs(points, longest) {
  const found = [];
  let run = [];
  for (const point of points) {
    const [time, value] = point;
    const isKnown = value !== null && value !== undefined;
    const isFar = run.length > 0 && time - run.at(-1)[0] > longest;
    if (run.length > 0 && (!isKnown || isFar)) {
      found.push(run);
      run = [];
    }
    if (isKnown) run.push(point);
  }
  if (run.length > 0) found.push(run);
  return found;
}

const at = (number) => Number(number.toFixed(1));

/** An SVG path along runs. A run of one point is a dot, drawn by its round ends. */
export function linePath(runs, x, y) {
  return runs
    .map((run) => {
      const corners = run.map(([time, value]) => `${at(x(time))},${at(y(value))}`);
      return run.length === 1 ? `M${corners[0]}h0.01` : `M${corners.join("L")}`;
    })
    .join("");
}

/** An SVG path around what is between runs and the ground. */
export function areaPath(runs, x, y, ground) {
  return runs
    .filter((run) => run.length > 1)
    .map((run) => {
      const corners = run.map(([time, value]) => `${at(x(time))},${at(y(value))}`);
      const [first, last] = [at(x(run[0][0])), at(x(run.at(-1)[0]))];
      return `M${first},${at(ground)}L${corners.join("L")}L${last},${at(ground)}Z`;
    })
    .join("");
}

/** The place of the point nearest to a moment; -1 where none is within `reach` of it. */
export function nearest(points, time, reach = Infinity) {
  let [low, high] = [0, points.length];
  while (low < high) {
    const middle = (low + high) >> 1;
    if (points[middle][0] < time) low = middle + 1;
    else high = middle;
  }
  const distance = (place) => Math.abs((points[place]?.[0] ?? Infinity) - time);
  const best = distance(low - 1) < distance(low) ? low - 1 : low;
  return distance(best) <= reach ? best : -1;
}

/**
 * How high a chart has to be for its values and its reference lines. A limit far above all use
 * would press the use flat: such a line is left out, and only its number is told.
 */
export function ceiling(values, references, reach = 3) {
  const most = Math.max(0, ...values.filter((value) => value !== null && value !== undefined));
  const shown = references.filter((value) => value !== null && (most === 0 || value <= reach * most));
  return Math.max(most, ...shown);
}
