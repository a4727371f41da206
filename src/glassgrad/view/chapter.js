// @ts-check
/** A chapter on one watch: its sections in the order of the lesson, all moved by one slider. */

import { backwardSection } from "./backward.js";
import { h, nodes } from "./element.js";
import { feedbackKind } from "./experiment.js";
import { forwardSection, networkSection } from "./forward.js";
import { checkSection, learnedSection, outcome, symbolsSection } from "./learned.js";
import { moment } from "./moment.js";
import { whole } from "./number.js";
import { objectiveSection } from "./objective.js";
import { stepbar } from "./stepbar.js";
import { updateSection } from "./update.js";
import { pick, prose, say } from "./words.js";

/**
 * @param {any} chapter {number, title, watch}
 * @param {number} index of the shown step
 * @param {boolean} narrow
 * @param {(index: number) => void} go
 */
export function watchChapter(chapter, index, narrow, go) {
  const { watch } = chapter;
  const now = moment(watch, index);
  const bar = now && stepbar(watch, index, go);
  const inside = now
    ? [
        networkSection(watch, narrow),
        forwardSection(watch),
        objectiveSection(watch, narrow),
        backwardSection(watch),
        updateSection(watch, now),
      ]
    : [];
  const symbols = watch.legend?.length ? [symbolsSection(watch)] : [];
  const sections = [...inside, learnedSection(watch), checkSection(watch), ...symbols];
  const parts = [bar, ...sections.flatMap((section) => section.parts)].filter(Boolean);
  const update = (/** @type {any} */ at) => parts.forEach((part) => part.update(at));
  if (now) update(now);
  const element = h(
    "article",
    null,
    heading(chapter),
    bar?.element,
    sections.map((section, place) => sectionElement(section, chapter.number, place + 1)),
  );
  return { element, update, sections: sections.map(({ key }) => key) };
}

/** @param {any} chapter */
function heading({ number, title, watch }) {
  const { experiment } = watch;
  const lead = prose("lead", {
    network: experiment.network.join("-"),
    truth: experiment.truth,
    feedback: say(`from-${feedbackKind(experiment)}`),
    data: dataOf(experiment),
    steps: whole(experiment.steps),
    optimizer: experiment.optimizer,
    seed: experiment.seed,
  });
  return h(
    "header",
    { class: "chapter-head" },
    h("p", { class: "chapter-number" }, say("chapter", { number })),
    h("h1", { tabindex: -1 }, title),
    h("p", { class: "lead" }, nodes([lead])),
    status(watch),
    (watch.notes ?? []).map((/** @type {any} */ text) => h("p", { class: "note" }, pick(text))),
  );
}

/** What is answered at a step. @param {any} experiment */
function dataOf(experiment) {
  const { samples, group = 1, passes = 1 } = experiment;
  const values = { samples: whole(samples), passes: whole(passes) };
  return say(dataKey(experiment), values) + (group > 1 ? say("data-group", { group: whole(group) }) : "");
}

/** @param {any} experiment */
function dataKey({ fresh, samples, passes }) {
  if (fresh && passes > 1) return "data-fresh-passes";
  if (fresh) return samples === 1 ? "data-fresh-one" : "data-fresh";
  return samples === 1 ? "data-one" : "data-once";
}

/** @param {any} watch */
function status(watch) {
  const found = /^diverged at step (\d+)(?::\s*(.*))?$/.exec(watch.status);
  if (!found)
    return h("p", { class: "outcome" }, watch.status === "finished" ? outcome(watch) : pick(watch.status));
  return h(
    "div",
    { class: "note", role: "note" },
    h("p", null, h("b", null, say("diverged", { step: found[1] }))),
    h(
      "p",
      null,
      prose("diverged-text", { reason: found[2] ? h("code", null, found[2]) : "", step: found[1] }),
    ),
  );
}

/** @param {any} section @param {number} chapter @param {number} place */
function sectionElement({ key, children }, chapter, place) {
  return h(
    "section",
    { id: key, "aria-labelledby": `${key}-title` },
    h("h2", { id: `${key}-title` }, h("span", { class: "section-number" }, `${chapter}.${place}`), say(key)),
    children,
  );
}
