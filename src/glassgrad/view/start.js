// @ts-check
/** The first chapter of a report with several watches: what there is, at a glance. */

import { sparkline } from "./curve.js";
import { h } from "./element.js";
import { feedbackKind } from "./experiment.js";
import { plain } from "./number.js";
import { prose, say } from "./words.js";

/** @param {any[]} chapters */
export function startChapter(chapters) {
  return h(
    "article",
    { class: "start" },
    h(
      "header",
      { class: "chapter-head" },
      h("h1", { tabindex: -1 }, say("title")),
      h("p", { class: "lead" }, prose("start-lead")),
    ),
    h("p", null, prose("start-text")),
    h("ol", { class: "overview" }, chapters.map(entry)),
  );
}

/** @param {any} chapter */
function entry({ id, number, title, watch }) {
  const open = h(
    "button",
    { type: "button", class: "entry", "data-chapter": id },
    h("span", { class: "entry-number" }, number),
    h(
      "span",
      { class: "entry-title" },
      title,
      watch && h("small", null, say(`learns-${feedbackKind(watch.experiment)}`)),
    ),
    watch && [ending(watch), trend(watch)],
  );
  return h("li", null, open);
}

/** The loss, or the reward where there is one. @param {any} watch */
function trend(watch) {
  const key = watch.experiment.reward ? "reward" : "loss";
  const points = watch.steps.map((/** @type {any} */ step) => ({ value: step[key] }));
  return sparkline(
    points,
    points.every((/** @type {any} */ point) => point.value > 0),
  );
}

/** Its first answer, and whether it is solved. @param {any} watch */
function ending(watch) {
  const [test] = watch.tests;
  const state = watch.status !== "finished" ? "diverged-short" : watch.solved ? "solved" : "unsolved";
  return h(
    "span",
    { class: `ending ${state}` },
    test && h("code", null, `${test.question} = ${plain(test.answer, 2)}`),
    h("small", null, say(state)),
  );
}
