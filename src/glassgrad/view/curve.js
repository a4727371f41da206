// @ts-check
/** A curve over the steps: the loss, the reward, or one parameter's path. */

import { h, s } from "./element.js";
import { fixed, short } from "./number.js";
import { say } from "./words.js";

/** @typedef {{ step: number, value: number }} Point */
/**
 * @typedef {{ name: string, label: string, narrow: boolean, log?: boolean, height?: number,
 *   aim?: number }} Options
 */

/**
 * A figure with a marker at the slider's step; a click moves the slider (event "go").
 * @param {{ step: number, value: number | null | undefined }[]} all @param {Options} options
 */
export function curve(all, options) {
  const points = /** @type {Point[]} */ (all.filter((point) => Number.isFinite(point.value)));
  const apt = points.length > 1 && points.every((point) => point.value > 0) && ratio(points) > 30;
  const figure = h("figure", { class: "curve" });
  let [log, step] = [Boolean(options.log) && apt, points[0]?.step ?? 1];
  let plot = { update: (/** @type {number} */ _) => {} };
  const draw = () => {
    const made = drawPlot(points, { ...options, log });
    plot = made;
    figure.replaceChildren(
      heading(options.label, made.readout, apt, log, () => {
        log = !log;
        draw();
        figure.querySelector("button")?.focus();
      }),
      made.element,
    );
    plot.update(step);
  };
  draw();
  return {
    element: figure,
    update: (/** @type {any} */ now) => {
      step = now.step.step;
      plot.update(step);
    },
  };
}

/** @param {Point[]} points */
function ratio(points) {
  const values = points.map((point) => point.value);
  return values.reduce((a, b) => Math.max(a, b)) / values.reduce((a, b) => Math.min(a, b));
}

/**
 * @param {string} label
 * @param {HTMLElement} readout
 * @param {boolean} apt
 * @param {boolean} log
 * @param {() => void} toggle
 */
function heading(label, readout, apt, log, toggle) {
  const button = h(
    "button",
    { type: "button", class: "plain", "aria-pressed": log, onclick: toggle },
    say("log-scale"),
  );
  return h("figcaption", null, h("span", null, label), readout, apt && button);
}

/** @param {Point[]} points @param {Options} options */
function drawPlot(points, options) {
  const [width, height] = [options.narrow ? 340 : 700, options.height ?? 220];
  const frame = { width, height, left: 54, right: 22, top: 10, bottom: 26 };
  const axes = scaling(points, frame, Boolean(options.log), options.aim);
  const marker = {
    line: s("line", { class: "marker", y1: frame.top, y2: frame.height - frame.bottom }),
    dot: s("circle", { class: "marker", r: 4 }),
  };
  const hover = s("circle", { class: "hover", r: 3.5, visibility: "hidden" });
  const readout = h("span", { class: "readout" });
  const element = s(
    "svg",
    { viewBox: `0 0 ${width} ${height}`, class: "plot", role: "img", "aria-label": options.label },
    grid(axes, frame),
    aimLine(axes, frame, options.aim),
    s("path", { class: "line", d: pathOf(points, axes, frame) }),
    marker.line,
    marker.dot,
    hover,
  );
  let current = points[0]?.step ?? 1;
  const tell = (/** @type {Point | undefined} */ point) => {
    readout.textContent = point
      ? `${say("step-number", { step: point.step })}: ${options.name} = ${fixed(point.value)}`
      : "";
  };
  const update = (/** @type {number} */ step) => {
    current = step;
    place(marker, nearest(points, step), axes);
    tell(nearest(points, step));
  };
  followPointer(element, points, axes, frame, hover, tell, () => tell(nearest(points, current)));
  return { element, readout, update };
}

/** @param {any} marker @param {Point | undefined} point @param {any} axes */
function place(marker, point, axes) {
  if (!point) return;
  const [x, y] = [axes.x(point.step), axes.y(point.value)];
  for (const end of ["x1", "x2"]) marker.line.setAttribute(end, x);
  marker.dot.setAttribute("cx", x);
  marker.dot.setAttribute("cy", y);
}

/**
 * Where a curve should end.
 * @param {any} axes
 * @param {any} frame
 * @param {number | undefined} aim
 */
function aimLine(axes, frame, aim) {
  if (aim === undefined) return null;
  const y = axes.y(aim);
  return s(
    "g",
    null,
    s("line", { class: "aim", x1: frame.left, x2: frame.width - frame.right, y1: y, y2: y }),
    s(
      "text",
      { class: "tick", x: frame.width - frame.right, y: y - 6, "text-anchor": "end" },
      say("truth-is", { truth: short(aim) }),
    ),
  );
}

/**
 * @param {Point[]} points
 * @param {any} frame
 * @param {boolean} log
 * @param {number} [aim] a value to be kept in sight
 */
function scaling(points, frame, log, aim) {
  const bend = log ? Math.log10 : (/** @type {number} */ v) => v;
  const values = points.map((point) => bend(point.value)).concat(aim === undefined ? [] : [aim]);
  let [low, high] = [
    values.reduce((a, b) => Math.min(a, b), Infinity),
    values.reduce((a, b) => Math.max(a, b), -Infinity),
  ];
  if (!points.length) [low, high] = [0, 1];
  if (!log && low > 0 && low < 0.4 * high) low = 0;
  if (high - low < 1e-9) [low, high] = [low - 0.5, high + 0.5];
  const [first, last] = [points[0]?.step ?? 1, points.at(-1)?.step ?? 2];
  const [across, up] = [frame.width - frame.left - frame.right, frame.height - frame.top - frame.bottom];
  return {
    first,
    last,
    low,
    high,
    log,
    x: (/** @type {number} */ step) => frame.left + (across * (step - first)) / Math.max(1, last - first),
    step: (/** @type {number} */ x) => first + ((x - frame.left) / across) * (last - first),
    y: (/** @type {number} */ value) =>
      frame.height - frame.bottom - (up * (bend(value) - low)) / (high - low),
  };
}

/** @param {any} axes @param {any} frame */
function grid(axes, frame) {
  const values = axes.log ? decades(axes.low, axes.high) : ticks(axes.low, axes.high, 4);
  const rows = values.map((value) => [
    s("line", {
      class: "grid",
      x1: frame.left,
      x2: frame.width - frame.right,
      y1: axes.y(value),
      y2: axes.y(value),
    }),
    s(
      "text",
      { class: "tick", x: frame.left - 8, y: axes.y(value) + 4, "text-anchor": "end" },
      tickText(value),
    ),
  ]);
  const columns = ticks(axes.first, axes.last, frame.width > 500 ? 6 : 4)
    .filter(Number.isInteger)
    .map((step) =>
      s("text", { class: "tick", x: axes.x(step), y: frame.height - 6, "text-anchor": "middle" }, step),
    );
  return s("g", null, rows.flat(), columns);
}

/** @param {number} value */
function tickText(value) {
  const size = Math.abs(value);
  return size !== 0 && (size < 0.001 || size >= 1e5) ? value.toExponential(0) : short(value);
}

/**
 * Round numbers between two ends.
 * @param {number} low
 * @param {number} high
 * @param {number} wanted
 */
function ticks(low, high, wanted) {
  const rough = (high - low) / wanted;
  const power = 10 ** Math.floor(Math.log10(rough || 1));
  const gap = [1, 2, 5, 10].map((factor) => factor * power).find((size) => size >= rough) ?? rough;
  const found = [];
  for (let k = Math.ceil(low / gap - 1e-9); k * gap <= high + 1e-9 * gap; k++)
    found.push(Number((k * gap).toPrecision(10)));
  return found;
}

/**
 * Powers of ten between two logarithms, at most six of them.
 * @param {number} low
 * @param {number} high
 */
function decades(low, high) {
  const every = Math.max(1, Math.ceil((high - low) / 6));
  const found = [];
  for (let k = Math.ceil(low); k <= high; k += every) found.push(10 ** k);
  return found;
}

/**
 * The line; where points are denser than pixels, each pixel's lowest and highest.
 * @param {Point[]} points
 * @param {any} axes
 * @param {any} frame
 */
function pathOf(points, axes, frame) {
  const dense = points.length > 2 * frame.width;
  const kept = dense
    ? points.filter((_, index) => extreme(points, index, Math.ceil(points.length / frame.width)))
    : points;
  return kept
    .map(
      (point, index) =>
        `${index ? "L" : "M"}${axes.x(point.step).toFixed(1)} ${axes.y(point.value).toFixed(1)}`,
    )
    .join("");
}

/** @param {Point[]} points @param {number} index @param {number} size of a bucket */
function extreme(points, index, size) {
  const start = Math.floor(index / size) * size;
  const values = points.slice(start, start + size).map((point) => point.value);
  const value = points[index].value;
  return value === Math.min(...values) || value === Math.max(...values);
}

/** @param {Point[]} points @param {number} step @returns {Point | undefined} */
function nearest(points, step) {
  let [low, high] = [0, points.length - 1];
  while (low < high) {
    const middle = (low + high) >> 1;
    if (points[middle].step < step) low = middle + 1;
    else high = middle;
  }
  const before = points[low - 1];
  return before && step - before.step < points[low].step - step ? before : points[low];
}

/**
 * @param {any} element
 * @param {Point[]} points
 * @param {any} axes
 * @param {any} frame
 * @param {any} hover
 * @param {(point: Point | undefined) => void} tell
 * @param {() => void} leave
 */
function followPointer(element, points, axes, frame, hover, tell, leave) {
  const under = (/** @type {any} */ event) => {
    const box = element.getBoundingClientRect();
    return nearest(points, axes.step(((event.clientX - box.left) / box.width) * frame.width));
  };
  element.addEventListener("pointermove", (/** @type {any} */ event) => {
    const point = under(event);
    if (!point) return;
    hover.setAttribute("cx", axes.x(point.step));
    hover.setAttribute("cy", axes.y(point.value));
    hover.setAttribute("visibility", "visible");
    tell(point);
  });
  element.addEventListener("pointerleave", () => {
    hover.setAttribute("visibility", "hidden");
    leave();
  });
  element.addEventListener("click", (/** @type {any} */ event) =>
    element.dispatchEvent(new CustomEvent("go", { bubbles: true, detail: under(event)?.step })),
  );
}

/**
 * A curve without axes, for a list.
 * @param {{ value: number | null }[]} all
 * @param {boolean} log
 */
export function sparkline(all, log) {
  const points = all
    .map((point, step) => ({ step, value: point.value ?? NaN }))
    .filter((point) => Number.isFinite(point.value) && (!log || point.value > 0));
  const frame = { width: 120, height: 32, left: 1, right: 1, top: 2, bottom: 2 };
  const axes = scaling(points, frame, log);
  return s(
    "svg",
    { viewBox: "0 0 120 32", class: "sparkline", "aria-hidden": "true" },
    s("path", { class: "line", d: pathOf(points, axes, frame) }),
  );
}
