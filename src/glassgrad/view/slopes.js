// @ts-check
/** Local slopes: around each question a network is a plane; questions that share one are counted together. */

import { h } from "./element.js";
import { fixed } from "./number.js";
import { listed, prose, say } from "./words.js";

const MOST = 8; // planes in the table
const EXAMPLES = 3; // questions that are named for a plane

/** @param {any} watch */
export function slopes(watch) {
  if (!watch.slopes?.length) return null;
  const planes = planesOf(watch.slopes);
  const rest = planes.length - MOST;
  const plain = watch.experiment.network.length === 2;
  return [
    h("h3", null, say("slopes")),
    h("p", null, prose(plain ? "slopes-plain" : "slopes-hidden")),
    h("div", { class: "scroll" }, table(planes.slice(0, MOST))),
    rest > 0 && h("p", { class: "aside" }, say("more-rows", { count: rest })),
  ];
}

/**
 * Questions with equal slopes and intercepts (to two decimals), the most frequent first.
 * @param {any[]} rows
 */
function planesOf(rows) {
  /** @type {Map<string, any[]>} */
  const planes = new Map();
  for (const row of rows) {
    const key = [...row.slopes, row.intercept].map((number) => Math.round(100 * number)).join();
    planes.set(key, [...(planes.get(key) ?? []), row]);
  }
  return [...planes.values()].sort((a, b) => b.length - a.length);
}

/** @param {any[][]} planes */
function table(planes) {
  const names = planes[0][0].slopes.map((/** @type {number} */ _, /** @type {number} */ k) => `x${k + 1}`);
  const slopesIn = names.map((/** @type {string} */ name) => say("slope-in", { name }));
  const titles = [say("questions"), ...slopesIn, say("intercept")];
  const head = titles.map((title) => h("th", { scope: "col" }, title));
  return h(
    "table",
    { class: "slopes" },
    h("thead", null, h("tr", null, head)),
    h("tbody", null, planes.map(line)),
  );
}

/** @param {any[]} plane */
function line(plane) {
  const [first] = plane;
  const some = listed(plane.slice(0, EXAMPLES).map((row) => row.question));
  const all = plane.length > EXAMPLES && [
    " … ",
    h("small", null, say("question-count", { count: plane.length })),
  ];
  const numbers = [...first.slopes, first.intercept].map((number) => h("td", null, fixed(number)));
  return h("tr", null, h("th", { scope: "row" }, some, all), numbers);
}
