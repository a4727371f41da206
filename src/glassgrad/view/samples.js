// @ts-check
/** The samples behind a mean: those that contribute most, as bars to the left and right of zero. */

import { h } from "./element.js";
import { fixed, largest, short, sign } from "./number.js";
import { question } from "./question.js";
import { say } from "./words.js";

/** @param {any} watch @param {any[]} all */
export function samples(watch, all) {
  const samples = merged(all);
  const most = largest(samples.map((sample) => sample.value));
  return h(
    "table",
    { class: "samples" },
    h("caption", null, say("samples-caption")),
    h(
      "thead",
      null,
      h(
        "tr",
        null,
        h("th", { scope: "col" }, say("sample")),
        h("th", { scope: "col" }, say("label")),
        h("th", { scope: "col", colspan: 2 }, say("contributes")),
      ),
    ),
    h(
      "tbody",
      null,
      samples.map((sample) =>
        h(
          "tr",
          null,
          h(
            "td",
            null,
            question(watch, sample.inputs),
            h("small", null, sample.count > 1 ? ` × ${sample.count}` : ` #${sample.sample + 1}`),
          ),
          h("td", null, short(sample.truth)),
          h("td", { class: "amount" }, fixed(sample.value)),
          h("td", { class: "bar" }, bar(sample.value / most)),
        ),
      ),
    ),
  );
}

/**
 * Equal questions that contribute equally, as one row with their count.
 * @param {any[]} samples
 * @returns {any[]}
 */
function merged(samples) {
  /** @type {Map<string, any>} */
  const rows = new Map();
  for (const sample of samples) {
    const key = JSON.stringify([sample.inputs, sample.truth, sample.value]);
    const known = rows.get(key);
    const count = (known?.count ?? 0) + (sample.count ?? 1);
    rows.set(key, { ...(known ?? sample), count });
  }
  return [...rows.values()];
}

/** @param {number} part from -1 to 1 */
export function bar(part) {
  const width = 50 * Math.min(1, Math.abs(part));
  return h(
    "span",
    { class: "bar-track", "aria-hidden": "true" },
    h("i", { class: sign(part), style: `width: ${width}%; left: ${part < 0 ? 50 - width : 50}%` }),
  );
}
