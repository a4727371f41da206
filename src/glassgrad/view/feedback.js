// @ts-check
/** The chapter on the kinds of feedback: what arrives at the output, with the numbers of one question. */

import { h } from "./element.js";
import { code, formula, readable } from "./formula.js";
import { fixed, largest } from "./number.js";
import { bar } from "./samples.js";
import { pick, prose, say } from "./words.js";

/** @param {any} chapter @param {any[]} rows @param {(name: string) => string | null} chapterOf */
export function feedbackChapter({ number, title }, rows, chapterOf) {
  const most = largest(rows.map((row) => row.value));
  const head = h(
    "header",
    { class: "chapter-head" },
    h("p", { class: "chapter-number" }, say("chapter", { number })),
    h("h1", { tabindex: -1 }, title),
    h("p", { class: "lead" }, prose("feedback-lead")),
  );
  const cards = rows.map((row) => card(row, most, chapterOf(row.experiment)));
  return h(
    "article",
    null,
    head,
    h("p", null, prose("feedback-text")),
    h("div", { class: "cards" }, cards),
    h("p", { class: "aside" }, say("feedback-bars")),
  );
}

/** @param {any} row @param {number} most @param {string | null} chapter */
function card(row, most, chapter) {
  return h(
    "section",
    { class: "card" },
    h("h2", null, pick(row.name)),
    h("p", { class: "label" }, say("arrives")),
    h("div", { class: "rule" }, formula(row.latex, row.arrives)),
    code(`= ${readable(row.substituted)}`),
    h("p", { class: "big" }, "= ", fixed(row.value)),
    bar((row.value ?? 0) / most),
    h("p", { class: "reading-text" }, pick(row.reading)),
    h("p", { class: "label" }, say("must-know")),
    h("p", null, pick(row.knows)),
    h(
      "p",
      { class: "card-foot" },
      chapter
        ? h(
            "button",
            { type: "button", class: "plain", "data-chapter": chapter },
            say("see-chapter", { name: row.experiment }),
          )
        : h("code", null, row.experiment),
    ),
  );
}
