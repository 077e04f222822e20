// A line chart over time: areas under lines, reference lines, gaps where nothing was measured, and
// a crosshair that all charts of a page share.

import { h, svg } from "./dom.mjs";
import { ABSENT, UNITS, clock } from "./format.mjs";
import {
  areaPath,
  axis,
  ceiling,
  dotPath,
  linePath,
  linear,
  longestJoin,
  nearest,
  runs,
  timeTicks,
} from "./scale.mjs";

const MARGIN = { top: 8, right: 10, bottom: 20 };
/** The width of the labels of most axes, so that charts below each other begin in one line. */
const LABELS = 46;

/** The moment a reader points at, in every chart at once: what happened together is seen together. */
export class Crosshair {
  #followers = new Set();
  time = null;

  follow(follower) {
    this.#followers.add(follower);
  }

  move(time) {
    if (time === this.time) return;
    this.time = time;
    for (const follower of this.#followers) follower(time);
  }
}

/** How much room labels need, at the size that style/chart.css gives them. */
export const roomFor = (labels) =>
  Math.round(Math.max(LABELS, ...labels.map((label) => label.length * 6.4)) + 16);

export class Chart {
  #unit;
  #series;
  #crosshair;
  #plot = h("div", { class: "plot" });
  #moment = h("span", { class: "moment" });
  #legend = h("ul", { class: "legend" });
  #cursor = svg("g", { class: "cursor" });
  #data = null;
  #x = null;
  #y = null;
  #left = 62;

  /** `series` is `[{ label, color }, …]`, `unit` one of UNITS. */
  constructor({ title, unit, series, crosshair = new Crosshair() }) {
    this.#unit = UNITS[unit];
    this.#series = series;
    this.#crosshair = crosshair;
    this.element = h(
      "figure",
      {
        class: "chart",
        tabindex: "0",
        role: "group",
        "aria-roledescription": "chart",
        "aria-label": title,
      },
      h("figcaption", {}, h("h3", {}, title), this.#moment, this.#legend),
      this.#plot,
    );
    crosshair.follow(() => this.#point());
    this.#listen();
    new ResizeObserver(() => this.#draw()).observe(this.#plot);
  }

  /**
   * Shows `points` (one array of `[time, value]` for each series) between two moments, with
   * `references` (`[{ label, value }, …]`, horizontal) and `marks` (`[{ label, time }, …]`).
   */
  update({ from, to, points, step = 0, references = [], marks = [] }) {
    const times = points[0].map(([time]) => time);
    const known = references.filter(({ value }) => value !== null && value !== undefined);
    this.#data = {
      from,
      to,
      points,
      marks,
      references: known,
      longest: longestJoin(times, step * 1000),
    };
    this.#draw();
  }

  #draw() {
    if (!this.#data) return;
    // First of all, since a legend of two lines leaves less room.
    this.#describe(this.#pointed());
    const [width, height] = [this.#plot.clientWidth, this.#plot.clientHeight];
    if (width < this.#left + MARGIN.right + 20) return;
    const { from, to, points, references } = this.#data;
    const values = points.flat().map(([, value]) => value);
    const top = ceiling(
      values,
      references.map(({ value }) => value),
    );
    const { max, ticks } = axis(top, this.#unit);
    this.#left = roomFor(ticks.map(this.#unit.onAxis));
    this.#x = linear([from, to], [this.#left, width - MARGIN.right]);
    this.#y = linear([0, max], [height - MARGIN.bottom, MARGIN.top]);
    const isEmpty = values.every((value) => value === null);
    this.#plot.replaceChildren(
      svg(
        "svg",
        { width, height, viewBox: `0 0 ${width} ${height}`, "aria-hidden": "true" },
        this.#valueAxis(isEmpty ? [0] : ticks, width),
        this.#timeAxis(width, height),
        isEmpty ? this.#nothing(width, height) : this.#lines(height),
        references
          .filter(({ value }) => value <= max)
          .map(({ value, label }) => this.#reference(value, label, width)),
        this.#data.marks.filter(({ time }) => time >= from).map((mark) => this.#mark(mark, height)),
        this.#cursor,
      ),
    );
    this.#point();
  }

  #valueAxis(ticks, width) {
    return ticks.map((tick) => {
      const y = this.#y(tick);
      return [
        svg("line", {
          class: tick === 0 ? "ground" : "grid",
          x1: this.#left,
          x2: width - MARGIN.right,
          y1: y,
          y2: y,
        }),
        svg(
          "text",
          { class: "tick", x: this.#left - 6, y: y + 4, "text-anchor": "end" },
          this.#unit.onAxis(tick),
        ),
      ];
    });
  }

  #timeAxis(width, height) {
    const { from, to } = this.#data;
    const { step, ticks } = timeTicks(from, to, Math.max(2, Math.floor(width / 90)));
    return ticks.map((tick) => {
      // Half a label would hang out at the edges.
      const [x, edge] = [this.#x(tick), 18];
      const anchor = x > width - MARGIN.right - edge ? "end" : "middle";
      return svg(
        "text",
        { class: "tick", x, y: height - 5, "text-anchor": anchor },
        clock(tick, step < 60_000),
      );
    });
  }

  #lines(height) {
    return this.#series.map(({ color }, place) => {
      // A point outside the span would be drawn over the axis.
      const inside = this.#data.points[place].filter(([time]) => time >= this.#data.from);
      const lines = runs(inside, this.#data.longest);
      return svg(
        "g",
        { class: `series c-${color}` },
        // More than one area is mud.
        place === 0
          ? svg("path", {
              class: "area",
              d: areaPath(lines, this.#x, this.#y, height - MARGIN.bottom),
            })
          : null,
        svg("path", { class: "line", d: linePath(lines, this.#x, this.#y) }),
        svg("path", { class: "dots", d: dotPath(lines, this.#x, this.#y) }),
      );
    });
  }

  #nothing(width, height) {
    const [x, y] = [(width + this.#left) / 2, height / 2];
    return svg(
      "text",
      { class: "nothing", x, y, "text-anchor": "middle" },
      "Nothing measured in this time",
    );
  }

  #reference(value, label, width) {
    const y = this.#y(value);
    return svg(
      "g",
      { class: `reference ${label}` },
      svg("line", { x1: this.#left, x2: width - MARGIN.right, y1: y, y2: y }),
      svg(
        "text",
        { x: width - MARGIN.right - 2, y: y < 20 ? y + 12 : y - 4, "text-anchor": "end" },
        label,
      ),
    );
  }

  #mark({ time, label }, height) {
    const x = this.#x(time);
    return svg(
      "g",
      { class: "mark" },
      svg("line", { x1: x, x2: x, y1: MARGIN.top, y2: height - MARGIN.bottom }),
      svg("text", { x: x + 4, y: MARGIN.top + 10 }, label),
    );
  }

  /** The points of all series nearest to where the reader points, or to the end of the span. */
  #pointed() {
    const { points, to, longest } = this.#data;
    const time = this.#crosshair.time ?? to;
    return points.map((points) => points[nearest(points, time, Math.max(longest, 1))] ?? null);
  }

  #point() {
    if (!this.#x) return;
    const pointed = this.#pointed();
    const isPointing = this.#crosshair.time !== null;
    const at = pointed.find((point) => point !== null)?.[0];
    this.#moment.textContent = isPointing && at !== undefined ? clock(at) : "";
    this.#describe(pointed);
    if (!isPointing || at === undefined) return this.#cursor.replaceChildren();
    const [bottom, top] = [this.#plot.clientHeight - MARGIN.bottom, MARGIN.top];
    const dots = pointed.map((point, place) => {
      if (point === null || point[1] === null) return null;
      const color = this.#series[place].color;
      return svg("circle", {
        class: `c-${color}`,
        cx: this.#x(point[0]),
        cy: this.#y(point[1]),
        r: 3.5,
      });
    });
    const line = svg("line", { x1: this.#x(at), x2: this.#x(at), y1: top, y2: bottom });
    this.#cursor.replaceChildren(line, ...dots.filter(Boolean));
  }

  #describe(pointed) {
    const { format } = this.#unit;
    const entries = this.#series.map(({ label, color }, place) => {
      const value = pointed[place] ? format(pointed[place][1]) : ABSENT;
      return h("li", {}, h("i", { class: `swatch c-${color}` }), `${label} `, h("b", {}, value));
    });
    const references = this.#data.references.map(({ label, value }) =>
      h(
        "li",
        {},
        h("i", { class: `swatch reference ${label}` }),
        `${label} `,
        h("b", {}, format(value)),
      ),
    );
    this.#legend.replaceChildren(...entries, ...references);
  }

  #listen() {
    const leave = () => this.#crosshair.move(null);
    const point = ({ clientX }) => {
      const offsetX = clientX - this.#plot.getBoundingClientRect().left;
      if (!this.#data || !this.#x) return;
      const { from, to } = this.#data;
      const width = this.#plot.clientWidth;
      const time = linear([this.#left, width - MARGIN.right], [from, to])(offsetX);
      this.#crosshair.move(Math.min(to, Math.max(from, time)));
    };
    this.#plot.onpointerdown = point;
    this.#plot.onpointermove = point;
    // A finger is gone after each tap: what it pointed at stays until it taps elsewhere.
    this.#plot.onpointerleave = (event) => {
      if (event.pointerType === "mouse") leave();
    };
    document.addEventListener("pointerdown", ({ target }) => {
      if (this.element.isConnected && !target.closest?.(".plot")) leave();
    });
    this.element.onblur = leave;
    this.element.onkeydown = (event) => {
      const way = { ArrowLeft: -1, ArrowRight: 1 }[event.key];
      if (event.key === "Escape") leave();
      else if (way && this.#data?.points[0].length > 0) {
        event.preventDefault();
        this.#step(way);
      }
    };
  }

  #step(way) {
    const points = this.#data.points[0];
    const place = nearest(points, this.#crosshair.time ?? this.#data.to);
    const next = this.#crosshair.time === null ? place : place + way;
    this.#crosshair.move(points[Math.min(points.length - 1, Math.max(0, next))][0]);
  }
}
