// @ts-check
/** A policy as a picture: how readily each answer is given, around the output; the answer tried, and the hidden truth. */

import { s } from "./element.js";
import { short } from "./number.js";
import { say } from "./words.js";

const WIDE = { width: 850, side: 40, top: 44, axis: 190, row: 24 };
const NARROW = { width: 350, side: 8, top: 44, axis: 170, row: 24 };

/** @param {any} policy {x, y, sigma, o, a, t} @param {boolean} narrow */
export function policyPlot(policy, narrow) {
  const frame = narrow ? NARROW : WIDE;
  const { x, y } = policy;
  const height = frame.axis + 2 * frame.row + 14;
  const across = (/** @type {number} */ at) =>
    frame.side + ((frame.width - 2 * frame.side) * (at - x[0])) / (x[x.length - 1] - x[0]);
  const up = (/** @type {number} */ share) => frame.axis - (frame.axis - frame.top) * share;
  const points = x.map((/** @type {number} */ at, /** @type {number} */ i) => `${across(at)},${up(y[i])}`);
  const spread = y[x.findIndex((/** @type {number} */ at) => at >= policy.o + policy.sigma)];
  const side = policy.a < policy.t ? "end" : "start"; // its name stays clear of the line of the truth
  const named = {
    o: say("policy-output", { value: short(policy.o) }),
    a: say("policy-answer", { value: short(policy.a) }),
    t: say("policy-truth", { value: short(policy.t) }),
  };
  return s(
    "svg",
    {
      viewBox: `0 0 ${frame.width} ${height}`,
      class: "policy-plot",
      role: "img",
      "aria-label": Object.values(named).join("; "),
    },
    s("path", { class: "area", d: `M${points.join("L")}Z` }),
    s("line", { class: "axis", x1: frame.side, x2: frame.width - frame.side, y1: frame.axis, y2: frame.axis }),
    wide(across(policy.o), across(policy.o + policy.sigma), up(spread), policy.sigma),
    mark("output", across(policy.o), frame.top - 12, frame.axis, named.o, frame.top - 18, "middle"),
    mark("truth", across(policy.t), frame.axis, frame.axis + 1.5 * frame.row, named.t, height - 4, "middle"),
    mark("answer", across(policy.a), frame.axis, frame.axis + 0.4 * frame.row, named.a, frame.axis + 1.1 * frame.row, side),
    s("circle", { class: "answer", cx: across(policy.a), cy: frame.axis, r: 5.5 }),
  );
}

/** How wide it spreads: sigma, from the output to the right. */
function wide(/** @type {number} */ from, /** @type {number} */ to, /** @type {number} */ y, /** @type {number} */ sigma) {
  return [
    s("line", { class: "sigma", x1: from, x2: to, y1: y, y2: y }),
    s("text", { x: to + 10, y: y + 4.5 }, `sigma = ${short(sigma)}`),
  ];
}

/**
 * A line from y1 to y2 at a place, and its name.
 * @param {string} kind @param {number} x @param {number} y1 @param {number} y2
 * @param {string} name @param {number} at @param {string} anchor
 */
function mark(kind, x, y1, y2, name, at, anchor) {
  const room = { start: -6, middle: 0, end: 6 }[anchor] ?? 0;
  return [
    s("line", { class: kind, x1: x, x2: x, y1, y2 }),
    s("text", { class: kind, x: x + room, y: at, "text-anchor": anchor }, name),
  ];
}
