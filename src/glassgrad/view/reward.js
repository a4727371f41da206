// @ts-check
/** The chapter on learning by reward: who sees what, one step, the estimators, the verdicts, which tool when. */

import { h } from "./element.js";
import { code, formula, readable } from "./formula.js";
import { fixed, largest, short } from "./number.js";
import { policyPlot } from "./policy.js";
import { bar } from "./samples.js";
import { pick, prose, say } from "./words.js";

/**
 * @param {any} chapter {number, title}
 * @param {any} found
 * @param {boolean} narrow
 * @param {(name: string) => string | null} chapterOf
 */
export function rewardChapter({ number, title }, found, narrow, chapterOf) {
  const sections = {
    "reward-seen": seen(found, narrow),
    "reward-step": step(found, chapterOf),
    "reward-estimators": estimators(found),
    "reward-verdicts": verdicts(found, chapterOf),
    "reward-tools": [tools(found.tools), h("p", { class: "aside" }, pick(found.settings))],
  };
  return h(
    "article",
    { class: "by-reward" },
    h(
      "header",
      { class: "chapter-head" },
      h("p", { class: "chapter-number" }, say("chapter", { number })),
      h("h1", { tabindex: -1 }, title),
      h("p", { class: "lead" }, prose("reward-lead")),
    ),
    Object.entries(sections).map(([key, parts], place) =>
      h(
        "section",
        null,
        h("h2", null, h("span", { class: "section-number" }, `${number}.${place + 1}`), say(key)),
        parts,
      ),
    ),
  );
}

/** @param {any} found @param {boolean} narrow */
function seen(found, narrow) {
  const heads = ["term", "plain", "here", "sees"].map((key) => say(`reward-${key}`));
  return [
    h("p", null, prose("reward-seen-text")),
    h("figure", null, policyPlot(found.policy, narrow), h("figcaption", null, prose("reward-picture"))),
    table("seen", heads, found.seen, (row) => ({
      class: row.visible ? null : "hidden-from",
      cells: [h("b", null, pick(row.term)), pick(row.plain), code(pick(row.here)), pick(row.sees)],
    })),
  ];
}

/**
 * A table whose rows become cards on a phone.
 * @param {string} name
 * @param {string[]} heads
 * @param {any[]} rows
 * @param {(row: any) => {class: string | null, cells: any[]}} drawn
 */
function table(name, heads, rows, drawn) {
  return h(
    "table",
    { class: `stacked ${name}` },
    h("thead", null, h("tr", null, heads.map((head) => h("th", { scope: "col" }, head)))),
    h(
      "tbody",
      null,
      rows.map(drawn).map((row) =>
        h(
          "tr",
          { class: row.class },
          row.cells.map((cell, index) =>
            index
              ? h("td", { "data-label": heads[index] }, h("span", null, cell))
              : h("th", { scope: "row" }, cell),
          ),
        ),
      ),
    ),
  );
}

/** @param {any} found @param {(name: string) => string | null} chapterOf */
function step(found, chapterOf) {
  const { experiment, seed } = found;
  return [
    h("p", null, prose("reward-step-text", { experiment, seed, step: found.step })),
    h("ol", { class: "told" }, found.told.map(told)),
    h("p", null, prose(found.moves)),
    h("p", null, prose(found.ways)),
    h("p", { class: "aside" }, say(found.checked ? "reward-checked" : "reward-not-checked")),
    h("p", null, chapterLink(experiment, chapterOf)),
  ];
}

/** @param {any} one {words, name, symbolic, substituted, value, latex} */
function told({ words, name, symbolic, substituted, value, latex }) {
  return h(
    "li",
    null,
    h("p", null, pick(words)),
    h(
      "div",
      { class: "worked" },
      symbolic && [
        h("div", { class: "rule" }, formula(latex, [name, symbolic].filter(Boolean).join(" = "))),
        code(`= ${readable(substituted)}`),
      ],
      h("p", { class: "big" }, !symbolic && [h("code", null, name), " "], "= ", fixed(value)),
    ),
  );
}

/** @param {string} name @param {(name: string) => string | null} chapterOf */
function chapterLink(name, chapterOf) {
  const chapter = chapterOf(name);
  return chapter && h("button", { type: "button", class: "plain", "data-chapter": chapter }, say("see-chapter", { name }));
}

/** @param {any} found */
function estimators(found) {
  const most = largest([
    ...found.exact,
    ...found.estimators.flatMap((/** @type {any} */ row) => row.columns.map((/** @type {any} */ one) => one.mean)),
  ]);
  const heads = [say("reward-estimator"), say("reward-smooth"), say("reward-rounded"), say("reward-is")];
  const exact = { name: "", columns: found.exact.map((/** @type {number} */ mean) => ({ mean })) };
  return [
    h("p", null, prose(found.about)),
    table("estimated", heads, [exact, ...found.estimators], (row) => ({
      class: row.name ? null : "exact",
      cells: [
        row.name ? h("code", null, row.name) : h("b", null, say("reward-exact")),
        ...row.columns.map((/** @type {any} */ one) => estimate(one, most)),
        pick(row.reading),
      ],
    })),
    h("p", null, prose(found.reading)),
    tryIt("glassgrad estimators --reward '-abs(round(a) - t)'"),
  ];
}

/** @param {any} one {mean, standard_error, variance, verdict, said} @param {number} most */
function estimate({ mean, standard_error, variance, verdict, said }, most) {
  return [
    h("span", { class: "amount" }, fixed(mean), said ? h("small", null, ` ± ${fixed(standard_error)}`) : null),
    bar(mean / most),
    said
      ? h(
          "small",
          null,
          h("span", { class: verdict === "none" ? "unbiased" : "biased" }, pick(said)),
          h("br"),
          say("reward-variance", { value: short(Number(variance.toPrecision(3))) }),
        )
      : null,
  ];
}

/** @param {string} command */
function tryIt(command) {
  return h("p", { class: "command" }, h("span", { class: "label" }, say("try")), h("code", null, command));
}

/** @param {any} found @param {(name: string) => string | null} chapterOf */
function verdicts(found, chapterOf) {
  return [
    h("p", null, prose(found.asked)),
    h(
      "div",
      { class: "cards" },
      found.verdicts.map((/** @type {any} */ one) =>
        h(
          "section",
          { class: "card judged" },
          h("h3", null, h("code", null, one.name)),
          h("p", { class: `verdict ${one.verdict === "neither" ? "false" : "true"}` }, pick(one.learns)),
          h("p", null, pick(one.climbs)),
          h("p", { class: "label" }, say("reward-evidence")),
          h("p", null, pick(one.evidence)),
          h("p", { class: "card-foot" }, chapterLink(one.name, chapterOf)),
        ),
      ),
    ),
    tryIt("glassgrad judge knob"),
  ];
}

/** @param {any[]} all {have, use, why} */
function tools(all) {
  const heads = ["have", "use", "why"].map((key) => say(`reward-${key}`));
  return table("tools", heads, all, (tool) => ({
    class: null,
    cells: [pick(tool.have), h("b", null, pick(tool.use)), pick(tool.why)],
  }));
}
