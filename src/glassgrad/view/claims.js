// @ts-check
/** The chapter on claims: sentences that one hears, each with its measured verdict. */

import { h } from "./element.js";
import { pick, prose, say } from "./words.js";

/** @param {any} chapter @param {any[]} claims */
export function claimsChapter({ number, title }, claims) {
  const head = h(
    "header",
    { class: "chapter-head" },
    h("p", { class: "chapter-number" }, say("chapter", { number })),
    h("h1", { tabindex: -1 }, title),
    h("p", { class: "lead" }, prose("claims-lead")),
  );
  return h("article", null, head, h("ol", { class: "claims" }, claims.map(item)));
}

/** @param {any} claim */
function item({ claim, verdict, measured, command }) {
  return h(
    "li",
    null,
    h("blockquote", null, pick(claim)),
    h("p", { class: `verdict ${verdict}` }, say(`verdict-${verdict}`)),
    h("p", null, pick(measured)),
    command &&
      h("p", { class: "command" }, h("span", { class: "label" }, say("try")), h("code", null, command)),
  );
}
