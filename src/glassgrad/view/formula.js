// @ts-check
/** Formulas: KaTeX where it succeeds, plain text where it does not. */

import { h } from "./element.js";

/** @type {Map<string, HTMLElement>} set once, then copied: most formulas stay the same at all steps */
const known = new Map();

/** @param {string | null | undefined} latex @param {string} text the same as plain text */
export function formula(latex, text) {
  const key = `${latex}\n${text}`;
  const element = known.get(key) ?? set(latex, text);
  known.set(key, element);
  return element.cloneNode(true);
}

/** @param {string | null | undefined} latex @param {string} text @returns {HTMLElement} */
function set(latex, text) {
  const element = h("span", { class: "formula" });
  const options = { throwOnError: false, strict: "ignore", maxExpand: 500 };
  try {
    if (!latex) throw new Error("no LaTeX");
    /** @type {any} */ (globalThis).katex.render(`\\displaystyle ${latex}`, element, options);
    if (element.querySelector(".katex-error")) throw new Error("LaTeX refused");
  } catch {
    element.replaceChildren(h("code", null, text));
  }
  return element;
}

const POWERS = "⁰¹²³⁴⁵⁶⁷⁸⁹";

/**
 * A formula's text for reading: 2*(o - t)**2 as 2·(o - t)².
 * @param {string} text
 * @returns {string}
 */
export function readable(text) {
  const powers = text.replace(/\*\*(\d)(?![\d.])/g, (_, digit) => POWERS[digit]);
  const dots = powers.replaceAll("**", "^").replace(/\s*\*\s*/g, " · ");
  return dots.replace(/ \+ -(?=[\d.])/g, " - ");
}

/** Code that breaks at spaces only, and not within [z > 0]. @param {string} text @param {string} [name] */
export function code(text, name = "numbers") {
  const words = text.split(/ (?![^[\]]*\])/).flatMap((word, index) => [index ? " " : "", whole(word)]);
  return h("code", { class: name }, words);
}

/** A word without spaces stays on its line, unless it is a long one. @param {string} word */
function whole(word) {
  return word.length < 24 ? h("span", { class: "whole" }, word) : word;
}
