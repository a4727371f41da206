// @ts-check
/** Equations in the running text: the rule once, then the numbers of every unit. */

import { h } from "./element.js";
import { code, formula, readable } from "./formula.js";
import { family } from "./moment.js";
import { value } from "./value.js";
import { say } from "./words.js";

/** @typedef {import("./moment.js").Equation} Equation */

const MOST = 16; // rows of one kind; the rest is counted

/** @param {Equation[]} equations */
export function families(equations) {
  /** @type {Map<string, Equation[]>} */
  const kinds = new Map();
  for (const equation of equations) {
    const kind = family(equation.name);
    kinds.set(kind, [...(kinds.get(kind) ?? []), equation]);
  }
  return h("div", { class: "families" }, [...kinds.values()].map(block));
}

/** One kind of quantity. @param {Equation[]} equations */
function block(equations) {
  const [first] = equations;
  const note =
    equations.length > 1 && h("span", { class: "aside" }, say("same-rule", { count: equations.length }));
  const rest = equations.length - MOST;
  return h(
    "div",
    { class: "family" },
    h("div", { class: "rule" }, formula(first.latex, `${first.name} = ${first.symbolic}`), note),
    h(
      "div",
      { class: "rows" },
      equations.slice(0, MOST).map(row),
      rest > 0 && h("p", { class: "aside" }, say("more-rows", { count: rest })),
    ),
  );
}

/** @param {Equation} equation */
export function row(equation) {
  return h(
    "div",
    { class: "row" },
    h("code", { class: "name" }, equation.name),
    code(`= ${readable(equation.substituted)}`),
    h("span", { class: "result" }, "= ", value(`equation:${equation.name}`, equation.value, equation.name)),
  );
}
