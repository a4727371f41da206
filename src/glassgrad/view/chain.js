// @ts-check
/**
 * The chain rule unrolled: dW1_4_x1 = mean(dz1_4*x1) = mean(da1_4*[z1_4 > 0]*x1) = … down to what can be
 * measured.
 */

import { h } from "./element.js";
import { code, readable } from "./formula.js";
import { fixed } from "./number.js";
import { say } from "./words.js";

const LONGEST = 300; // characters; beyond that a line explains nothing
const DERIVATIVE = /\bd(?:[zao]\d*(?:_\d+)*|reward|logp)\b/g;

/**
 * Every stage of the unrolling, the first as the equation has it.
 * @param {any} now
 * @param {any} equation
 * @returns {string[]}
 */
export function unrolled(now, equation) {
  const lines = [equation.symbolic];
  while (lines.length < 12) {
    const next = opened(now, lines[lines.length - 1]);
    if (next === lines[lines.length - 1] || next.length > LONGEST) break;
    lines.push(next);
  }
  return lines;
}

/**
 * One stage: each derivative in a formula replaced by its own formula.
 * @param {any} now
 * @param {string} text
 * @returns {string}
 */
function opened(now, text) {
  return text.replace(DERIVATIVE, (name) => {
    const inner = now.equations.get(name)?.symbolic;
    return !inner || inner === name ? name : simple(inner) ? inner : `(${inner})`;
  });
}

/** Whether a formula can stand in a product without brackets. @param {string} formula */
function simple(formula) {
  let depth = 0;
  for (const letter of formula.slice(1)) {
    depth += "([".includes(letter) ? 1 : ")]".includes(letter) ? -1 : 0;
    if (depth === 0 && "+-/".includes(letter)) return false;
  }
  return !formula.startsWith("-");
}

/** The unrolling as lines with the result. @param {any} now @param {any} equation */
export function chain(now, equation) {
  const lines = unrolled(now, equation);
  if (lines.length < 2) return null;
  const rows = lines.map((line, index) =>
    h("li", null, code(`${index ? "=" : `${equation.name} =`} ${readable(line)}`)),
  );
  const result = h("li", null, code(`= ${fixed(equation.value)}`));
  return h("figure", { class: "chain" }, h("figcaption", null, say("chain")), h("ol", null, rows, result));
}
