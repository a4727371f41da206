// @ts-check
/** The update: one parameter followed through the optimizer, then all of them. */

import { h, live, nodes } from "./element.js";
import { chain } from "./chain.js";
import { row } from "./equations.js";
import { formula } from "./formula.js";
import { equationsOf } from "./moment.js";
import { fixed } from "./number.js";
import { newOf, numberOf, parametersOf } from "./parameter.js";
import { samples } from "./samples.js";
import { value } from "./value.js";
import { prose, say } from "./words.js";

const MANY = 40; // rows of a table that is shown without being asked for

/** @param {any} watch @param {any} first the moment at which the followed parameter is chosen */
export function updateSection(watch, first) {
  const all = parametersOf(watch.experiment);
  const state = { name: strongest(all, first), now: first };
  const choice = h(
    "select",
    { id: "follow" },
    all.map(({ name }) => h("option", { value: name, selected: name === state.name }, name)),
  );
  const one = live("follow", (now) =>
    followed(now, /** @type {any} */ (all.find(({ name }) => name === state.name))),
  );
  const table = live("scroll", (now) => tableOf(now, all));
  choice.addEventListener("change", () => {
    state.name = choice.value;
    one.update(state.now);
  });
  const keep = {
    update: (/** @type {any} */ now) => {
      state.now = now;
    },
  };
  return {
    key: "update",
    parts: [keep, one, table],
    children: [
      h("p", null, prose("update-text", { optimizer: watch.experiment.optimizer })),
      scheduled(watch.experiment),
      watch.experiment.optimizer_lines?.length
        ? h("pre", { class: "lines" }, watch.experiment.optimizer_lines.join("\n"))
        : null,
      h("h3", null, say("follow-title")),
      h("p", null, h("label", { for: "follow" }, say("follow-label")), " ", choice),
      one.element,
      h("h3", null, say("all-parameters")),
      table.element,
    ],
  };
}

/** What is said of the learning rate, if it changes. @param {any} experiment */
function scheduled({ schedule = "constant" }) {
  return schedule === "constant" ? null : h("p", null, prose("update-schedule", { schedule }));
}

/**
 * The weight of the first layer with the largest gradient: its chain is the longest.
 * @param {any[]} all
 * @param {any} now
 */
function strongest(all, now) {
  const size = (/** @type {any} */ which) => Math.abs(numberOf(now.step.gradients, which) ?? 0);
  const first = all.filter(({ layer, input }) => layer === 1 && input !== null);
  return first.reduce((best, which) => (size(which) > size(best) ? which : best)).name;
}

/** From the samples to the new value. @param {any} now @param {any} which */
function followed(now, which) {
  const gradient = now.equations.get(which.gradient);
  const steps = equationsOf(now, "update").filter(
    ({ name, level }) =>
      level === "step" || updatedName(name) === which.name || updatedName(name).endsWith(`_${which.name}`),
  );
  return nodes([
    gradient &&
      stage(1, "follow-gradient", [
        rule(gradient),
        row(gradient),
        chain(now, gradient),
        gradient.samples?.length ? samples(now.watch, gradient.samples) : null,
      ]),
    stage(
      2,
      "follow-optimizer",
      steps.map((equation) => [rule(equation), row(equation)]),
    ),
    stage(
      3,
      "follow-result",
      h(
        "p",
        null,
        prose("moved", {
          name: h("code", null, which.name),
          old: value(`parameter:${which.name}`, numberOf(now.step.parameters, which), which.name),
          fresh: newButton(now, which),
        }),
      ),
    ),
  ]);
}

/** @param {number} number @param {string} title @param {any} children */
function stage(number, title, children) {
  return h(
    "div",
    { class: "stage" },
    h("h4", null, h("span", { class: "stage-number" }, number), say(title)),
    children,
  );
}

/** @param {any} equation */
function rule(equation) {
  return h("div", { class: "rule" }, formula(equation.latex, `${equation.name} = ${equation.symbolic}`));
}

/** @param {any} now @param {any} which */
function newValue(now, which) {
  const change = numberOf(now.step.update, which);
  const old = numberOf(now.step.parameters, which);
  return (
    newOf(now, which)?.value ??
    (change === null || change === undefined || old === null || old === undefined ? null : old + change)
  );
}

/** The new value, which opens the equation that made it. @param {any} now @param {any} which */
function newButton(now, which) {
  const equation = newOf(now, which);
  const target = equation ? `equation:${equation.name}` : `parameter:${which.name}`;
  return value(target, newValue(now, which), `${which.name} (${say("value-new")})`);
}

/** @param {string} name of an equation of the update */
function updatedName(name) {
  return name.replace(/(_new)+$/, "");
}

/** @param {any} now @param {any[]} all */
function tableOf(now, all) {
  const head = ["parameter", "value-old", "gradient-short", "change", "value-new"].map((key) =>
    h("th", { scope: "col", class: key }, say(key)),
  );
  const rows = all.map((which) => {
    const old = numberOf(now.step.parameters, which);
    return h(
      "tr",
      null,
      h("th", { scope: "row" }, h("code", null, which.name)),
      h("td", null, value(`parameter:${which.name}`, old, which.name)),
      h("td", null, gradientValue(now, which)),
      h("td", { class: "change" }, h("span", { class: "mere" }, fixed(numberOf(now.step.update, which)))),
      h("td", null, newButton(now, which)),
    );
  });
  const table = h(
    "table",
    { class: "parameters" },
    h("thead", null, h("tr", null, head)),
    h("tbody", null, rows),
  );
  return rows.length > MANY
    ? h("details", null, h("summary", null, say("show-parameters", { count: rows.length })), table)
    : table;
}

/** @param {any} now @param {any} which */
function gradientValue(now, which) {
  const slope = now.equations.get(which.gradient)?.value ?? numberOf(now.step.gradients, which);
  return now.equations.has(which.gradient)
    ? value(`equation:${which.gradient}`, slope, which.gradient)
    : fixed(slope);
}
