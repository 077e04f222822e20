// Lines as small as a word, for the rows of tables.

import { svg } from "./dom.mjs";
import { areaPath, dotPath, linePath, linear, longestJoin, runs } from "./scale.mjs";

const SPARK = { width: 64, height: 20 };

/** A line as small as a word: `points` between two moments, from 0 to their own largest value. */
export function sparkline({ points, from, to, step }, color) {
  const { width, height } = SPARK;
  const frame = {
    class: `spark c-${color}`,
    width,
    height,
    viewBox: `0 0 ${width} ${height}`,
    "aria-hidden": "true",
  };
  if (points.length === 0) return svg("svg", frame);
  const max = Math.max(...points.map(([, value]) => value ?? 0)) || 1;
  const x = linear([from, to], [1, width - 1]);
  const y = linear([0, max], [height - 1.5, 1.5]);
  const times = points.map(([time]) => time);
  const lines = runs(points, longestJoin(times, step));
  const paths = {
    area: areaPath(lines, x, y, height),
    line: linePath(lines, x, y),
    dots: dotPath(lines, x, y),
  };
  const drawn = Object.entries(paths).map(([kind, d]) => svg("path", { class: kind, d }));
  return svg("svg", frame, drawn);
}
