// @ts-check
/**
 * Two errors of each row on one line of powers of ten: inside of training and far outside; beside it, how often it was
 * solved. A bar behind a dot is where half of the runs lie.
 */

import { s } from "./element.js";
import { percent, two } from "./number.js";
import { pick, say } from "./words.js";

const RIGHT = 0.5; // an answer that is off by less is right
const LEAST = 1e-6; // errors below are drawn here
const WIDE = { width: 850, left: 165, right: 205, row: 27, task: 40, top: 46, own: 0 };
const NARROW = { width: 350, left: 8, right: 10, row: 44, task: 36, top: 44, own: 20 };

/** @param {any[]} rows @param {boolean} narrow */
export function dumbbells(rows, narrow) {
  const frame = narrow ? NARROW : WIDE;
  const { places, height } = layout(rows, frame);
  const x = scale(rows, frame);
  return s(
    "svg",
    {
      viewBox: `0 0 ${frame.width} ${height}`,
      class: "dumbbell-plot",
      role: "img",
      "aria-label": rows.map(said).join("; "),
    },
    grid(x, frame, height, narrow),
    rows.map((row, index) => [
      row.task !== rows[index - 1]?.task && task(row, places[index], frame),
      drawn(row, places[index], x, frame, narrow),
    ]),
  );
}

/** Where each row's line is, from above; a task's first row has its name over it. @param {any[]} rows @param {any} frame */
function layout(rows, frame) {
  let at = frame.top;
  const places = rows.map((row, index) => {
    at += row.task !== rows[index - 1]?.task ? frame.task : 0;
    at += frame.row;
    return at - frame.row / 2 + frame.own / 2;
  });
  return { places, height: at + 14 };
}

/** @param {any[]} rows @param {any} frame */
function scale(rows, frame) {
  const ends = rows
    .flatMap((row) => [row.median_error, row.error_outside, ...halves(row)])
    .filter((value) => value !== null && value !== undefined)
    .map((value) => Math.log10(Math.max(value, LEAST)))
    .concat(Math.log10(RIGHT));
  const [low, high] = [Math.floor(Math.min(...ends)), Math.ceil(Math.max(...ends))];
  const across = frame.width - frame.left - frame.right;
  const at = (/** @type {number} */ value) =>
    frame.left + (across * (Math.log10(Math.max(value, LEAST)) - low)) / Math.max(1, high - low);
  return { low, high, at };
}

/** @param {any} row @returns {(number | null)[]} */
function halves(row) {
  return [...(row.error_half ?? []), ...(row.error_outside_half ?? [])];
}

/** @param {any} x @param {any} frame @param {number} height @param {boolean} narrow */
function grid(x, frame, height, narrow) {
  const powers = Array.from({ length: x.high - x.low + 1 }, (_, index) => x.low + index);
  const every = narrow && powers.length > 6 ? 2 : 1;
  const anchor = (/** @type {number} */ power) => (narrow && power === x.high ? "end" : "middle");
  const lines = powers.map((power) => {
    const at = x.at(10 ** power);
    return [
      s("line", { class: "grid", x1: at, x2: at, y1: frame.top, y2: height }),
      (x.high - power) % every === 0 &&
        s("text", { class: "tick", x: at, y: frame.top - 8, "text-anchor": anchor(power) }, tick(power)),
    ];
  });
  const right = x.at(RIGHT);
  return s(
    "g",
    null,
    lines,
    s("line", { class: "aim", x1: right, x2: right, y1: frame.top - 24, y2: height }),
    s("text", { class: "tick right", x: right - 6, y: frame.top - 28, "text-anchor": "end" }, say("labels-right")),
    s("text", { class: "tick", x: right + 6, y: frame.top - 28 }, say("labels-wrong")),
    !narrow &&
      s("text", { class: "tick", x: frame.width - frame.right + 40, y: frame.top - 8 }, say("labels-rate")),
  );
}

/** @param {number} power */
function tick(power) {
  return power < -4 || power > 4 ? `1e${power}` : String(Number((10 ** power).toPrecision(1)));
}

/** @param {any} row @param {number} y @param {any} frame */
function task(row, y, frame) {
  const above = y - frame.row / 2 - frame.own / 2 - 8;
  return s(
    "text",
    { class: "task", x: frame.own ? frame.left : 0, y: above },
    row.task,
    s("tspan", { class: "truth", dx: 10 }, `t = ${row.truth}`),
  );
}

/** @param {any} row @param {number} y @param {any} x @param {any} frame @param {boolean} narrow */
function drawn(row, y, x, frame, narrow) {
  const name = pick(row.short);
  return s(
    "g",
    { class: "pair" },
    narrow
      ? [
          s("text", { class: "kind", x: frame.left, y: y - 13 }, name),
          s(
            "text",
            { class: "kind", x: frame.width - frame.right, y: y - 13, "text-anchor": "end" },
            `${say("labels-solved")} ${rate(row)}`,
          ),
        ]
      : [s("text", { class: "kind", x: 14, y: y + 4.5 }, name), success(row, y, frame)],
    row.error_outside !== null &&
      row.median_error !== null &&
      s("line", { class: "between", x1: x.at(row.median_error), x2: x.at(row.error_outside), y1: y, y2: y }),
    mark("inside", row.median_error, row.error_half, y, x),
    mark("outside", row.error_outside, row.error_outside_half, y, x),
  );
}

/**
 * A dot at the median, a bar from quartile to quartile.
 * @param {string} kind
 * @param {number | null} value
 * @param {(number | null)[] | null} half
 * @param {number} y
 * @param {any} x
 */
function mark(kind, value, half, y, x) {
  if (value === null || value === undefined) return null;
  const [low, high] = half ?? [null, null];
  return [
    low !== null &&
      high !== null &&
      s("line", { class: `half ${kind}`, x1: x.at(low), x2: x.at(high), y1: y, y2: y }),
    s("circle", { class: `dot ${kind}`, cx: x.at(value), cy: y, r: 5.5 }),
  ];
}

/** How often it was solved: a bar, its interval, the number. @param {any} row @param {number} y @param {any} frame */
function success(row, y, frame) {
  const [left, full] = [frame.width - frame.right + 40, 105];
  const at = (/** @type {number} */ share) => left + full * share;
  return [
    s("rect", { class: "track", x: left, y: y - 5, width: full, height: 10, rx: 2 }),
    s("rect", { class: "solved", x: left, y: y - 5, width: Math.max(0.01, full * row.rate), height: 10, rx: 2 }),
    s("line", { class: "interval", x1: at(row.low), x2: at(row.high), y1: y, y2: y }),
    s(
      "text",
      { class: "kind", x: frame.width - 2, y: y + 4.5, "text-anchor": "end" },
      rate(row),
    ),
  ];
}

/** @param {any} row */
function rate(row) {
  return say("percent", { value: percent(row.rate) });
}

/** A row in words, for those who do not see it. @param {any} row */
function said(row) {
  return say("labels-said", {
    task: row.task,
    kind: pick(row.short),
    rate: percent(row.rate),
    inside: two(row.median_error),
    outside: two(row.error_outside),
  });
}
