// @ts-check
/** The chapter on labels against reward: what each kind of feedback needs, and what many runs of it reach. */

import { dumbbells } from "./dumbbell.js";
import { h } from "./element.js";
import { formula } from "./formula.js";
import { percent, two, whole } from "./number.js";
import { pick, prose, say } from "./words.js";

/**
 * @param {any} chapter {number, title}
 * @param {any} found {rows, runs, seconds, inside, outside, asked, reading}
 * @param {boolean} narrow
 * @param {(name: string) => string | null} chapterOf
 */
export function labelsChapter({ number, title }, found, narrow, chapterOf) {
  const { rows, runs, seconds, inside, outside } = found;
  const values = { runs: whole(runs), all: whole(runs * rows.length), seconds: two(seconds), inside, outside };
  return h(
    "article",
    null,
    h(
      "header",
      { class: "chapter-head" },
      h("p", { class: "chapter-number" }, say("chapter", { number })),
      h("h1", { tabindex: -1 }, title),
      h("p", { class: "lead" }, prose("labels-lead", values)),
    ),
    h("div", { class: "needs" }, kindsOf(rows).map(need)),
    h(
      "figure",
      { class: "dumbbells" },
      h("figcaption", null, prose("labels-picture", values)),
      key(inside, outside),
      dumbbells(rows, narrow),
    ),
    h("p", null, prose(found.reading)),
    table(found, chapterOf),
    h("p", { class: "aside" }, prose("labels-legend", { ...values, asked: pick(found.asked) })),
    h(
      "p",
      { class: "command" },
      h("span", { class: "label" }, say("try")),
      h("code", null, "glassgrad compare labels-and-reward"),
    ),
  );
}

/** The first row of each kind of feedback. @param {any[]} rows */
function kindsOf(rows) {
  return rows.filter((row, index) => rows.findIndex((other) => other.kind === row.kind) === index);
}

/** @param {any} row */
function need(row) {
  return h(
    "section",
    null,
    h("h3", null, pick(row.feedback)),
    h("p", { class: "label" }, say("arrives")),
    h("div", { class: "rule" }, formula(row.latex, row.arrives)),
    h("p", { class: "label" }, say("must-know")),
    h("p", null, pick(row.knows)),
  );
}

/** What the two signs of the picture stand for. @param {string} inside @param {string} outside */
function key(inside, outside) {
  return h(
    "p",
    { class: "key" },
    h("span", null, h("i", { class: "dot inside" }), say("labels-on", { range: inside })),
    h("span", null, h("i", { class: "dot outside" }), say("labels-on", { range: outside })),
  );
}

/** @param {any} found @param {(name: string) => string | null} chapterOf */
function table({ rows, inside, outside }, chapterOf) {
  const heads = [say("labels-rate"), inside, outside, say("labels-samples"), say("labels-steps")];
  const columns = [...heads, say("labels-seconds")];
  const tasks = [...new Set(rows.map((/** @type {any} */ row) => row.task))];
  const head = h(
    "thead",
    null,
    h(
      "tr",
      null,
      h("td"),
      columns.map((text) => h("th", { scope: "col" }, text)),
    ),
  );
  const bodies = tasks.map((task) => {
    const own = rows.filter((/** @type {any} */ row) => row.task === task);
    const name = h(
      "th",
      { colspan: columns.length + 1, scope: "rowgroup" },
      h("code", null, task),
      " ",
      h("span", null, `t = ${own[0].truth}`),
    );
    return h(
      "tbody",
      null,
      h("tr", { class: "task" }, name),
      own.map((/** @type {any} */ row) => line(row, columns, chapterOf)),
    );
  });
  return h("table", { class: "compared" }, head, bodies);
}

/** @param {any} row @param {string[]} columns @param {(name: string) => string | null} chapterOf */
function line(row, columns, chapterOf) {
  const rate = [
    h("b", null, say("percent", { value: percent(row.rate) })),
    h("small", null, ` ${percent(row.low)}–${percent(row.high)}`),
  ];
  const cells = [rate, two(row.median_error), two(row.error_outside), whole(row.samples), whole(row.steps)];
  const all = [...cells, two(row.seconds)];
  return h(
    "tr",
    { "data-name": row.name },
    h("th", { scope: "row" }, kind(row, chapterOf(row.name))),
    all.map((cell, index) => h("td", { "data-label": columns[index] }, cell)),
  );
}

/** @param {any} row @param {string | null} chapter */
function kind(row, chapter) {
  const name = pick(row.short);
  return chapter
    ? h("button", { type: "button", class: "plain", "data-chapter": chapter, title: row.name }, name)
    : h("span", { title: row.name }, name);
}
