// @ts-check
/** What was learned: answers, the map, silent units, slopes; then the check and the symbols. */

import { h } from "./element.js";
import { shapeText } from "./legend.js";
import { largeMap, mapsOf } from "./map.js";
import { fixed, plain, short, whole } from "./number.js";
import { sizesOf } from "./parameter.js";
import { slopes } from "./slopes.js";
import { value } from "./value.js";
import { listed, pick, prose, say } from "./words.js";

/** @param {any} watch */
export function learnedSection(watch) {
  const maps = mapsOf(watch);
  return {
    key: "learned",
    parts: [],
    children: [
      h("p", null, outcome(watch)),
      answers(watch),
      maps.length > 0 && [
        h("h3", null, say("map")),
        h("p", null, prose("map-text")),
        maps.map((map) => largeMap(watch, map)),
      ],
      outside(watch),
      units(watch),
      slopes(watch),
    ],
  };
}

/** Solved or not, in a sentence. @param {any} watch */
export function outcome(watch) {
  const numbers = {
    steps: whole(watch.steps.length),
    mean: fixed(watch.error?.mean),
    max: fixed(watch.error?.max),
  };
  if (watch.status !== "finished") return say("outcome-diverged", numbers);
  const [test] = watch.tests;
  if (watch.tests.length === 1 && mapsOf(watch).length === 0)
    return say(watch.solved ? "outcome-one" : "outcome-one-unsolved", {
      ...numbers,
      answer: fixed(test.answer),
      truth: short(test.truth),
    });
  return say(watch.solved ? "outcome-solved" : "outcome-unsolved", numbers);
}

/** @param {any} watch */
function answers(watch) {
  const items = watch.tests.map((/** @type {any} */ test) =>
    h(
      "li",
      null,
      h("span", { class: "question" }, test.question, " = "),
      value(test.inputs ? `question:${test.inputs}` : "", test.answer, test.question, plain(test.answer, 2)),
      h("span", { class: "aside" }, say("truth-is", { truth: short(test.truth) })),
    ),
  );
  return h("ul", { class: "answers" }, items);
}

/** @param {any} watch */
function units(watch) {
  const { dead = [], saturated = [] } = watch.units ?? {};
  if (watch.experiment.network.length < 3) return null;
  const size = sizesOf(watch.experiment)
    .slice(1, -1)
    .reduce((/** @type {number} */ a, /** @type {number} */ b) => a + b);
  return [
    h("h3", null, say("units")),
    h(
      "p",
      null,
      dead.length
        ? prose("units-dead", { names: h("code", null, listed(dead)), count: dead.length, size })
        : say("units-none"),
      saturated.length ? prose("units-saturated", { names: h("code", null, listed(saturated)) }) : null,
    ),
  ];
}

/** Questions that it was never trained on. @param {any} watch */
function outside({ error_outside: error }) {
  return error ? h("p", null, say("outside", { mean: fixed(error.mean), max: fixed(error.max) })) : null;
}

/** @param {any} watch */
export function checkSection({ check }) {
  const open = check.unchecked ?? [];
  const size = check.largest_difference;
  return {
    key: "check",
    parts: [],
    children: [
      h("p", null, prose("check-text")),
      check.passed === false && h("p", { class: "note" }, say("check-failed", { where: check.where ?? "" })),
      h(
        "dl",
        { class: "facts" },
        fact("check-numbers", whole(check.numbers)),
        fact("check-difference", size === null ? fixed(size) : size === 0 ? "0" : size.toExponential(1)),
        fact("check-open", whole(open.length)),
      ),
      open.length
        ? h(
            "details",
            null,
            h("summary", null, say("check-list")),
            h("p", null, h("code", null, listed(open))),
          )
        : null,
    ],
  };
}

/** @param {string} key @param {string} number */
function fact(key, number) {
  return h("div", null, h("dt", null, say(key)), h("dd", null, number));
}

/** @param {any} watch */
export function symbolsSection(watch) {
  const keys = ["symbol", "meaning", "in-pytorch", "shape", "here"];
  const rows = watch.legend.map((/** @type {any} */ row) =>
    h(
      "tr",
      null,
      h("th", { scope: "row" }, h("code", null, row.symbol)),
      h("td", null, pick(row.meaning)),
      h("td", null, h("code", null, row.pytorch)),
      h("td", null, h("code", null, shapeText(row.shape))),
      h("td", null, h("code", null, row.value)),
    ),
  );
  return {
    key: "symbols",
    parts: [],
    children: [
      h("p", null, say("symbols-text")),
      h(
        "table",
        { class: "legend" },
        h(
          "thead",
          null,
          h(
            "tr",
            null,
            keys.map((key) => h("th", { scope: "col" }, say(key))),
          ),
        ),
        h("tbody", null, rows),
      ),
    ],
  };
}
