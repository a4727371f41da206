// @ts-check
/**
 * Numbers that can be clicked. What opens is named by `data-open`: "equation:dW1_4_x1", "parameter:…",
 * "input:…", "question:5,3".
 */

import { h } from "./element.js";
import { fixed } from "./number.js";
import { parameter } from "./parameter.js";
import { say } from "./words.js";

/**
 * A number as a button.
 * @param {string} target
 * @param {number | null | undefined} number
 * @param {string} label its name, for those who cannot see where it stands
 * @param {string} [text] how it is written
 */
export function value(target, number, label, text = fixed(number)) {
  const name = number === null ? `${label}: ${say("not-finite")}` : `${label} = ${text}`;
  const dull = number === 0 ? " nought" : "";
  return h(
    "button",
    { type: "button", class: `value${dull}`, "data-open": target, "aria-label": name },
    text,
  );
}

/**
 * The target of a name that an equation reads: a parameter's value before the update, an equation, an input.
 * @param {any} now
 * @param {string} name
 */
export function targetOf(now, name) {
  if (parameter(name)) return `parameter:${name}`;
  if (now.equations.has(name)) return `equation:${name}`;
  return /^(x\d+|t)$/.test(name) ? `input:${name}` : null;
}

/**
 * The number of a name that has no equation: an input, the label, the noise, a setting.
 * @param {any} now
 * @param {string} name
 * @returns {number | null | undefined}
 */
export function inputOf(now, name) {
  if (name === "t") return now.sample?.truth;
  if (name === "step") return now.step.step;
  const which = /^x(\d+)$/.exec(name);
  if (which) return now.sample?.inputs[Number(which[1]) - 1];
  return now.sample?.[name] ?? now.watch.experiment.numbers?.[name];
}
