// @ts-check
/** Texts in the reader's language. */

import { h } from "./element.js";

/** @typedef {{ en: string, zh: string }} Text */

/** @type {{ texts: Record<string, Text>, language: "en" | "zh" }} */
const state = { texts: {}, language: "en" };

/** @param {Record<string, Text>} texts */
export function setTexts(texts) {
  state.texts = texts;
}

/** @param {string | null | undefined} language */
export function setLanguage(language) {
  state.language = language === "zh" ? "zh" : "en";
}

export function language() {
  return state.language;
}

/**
 * What the data says in both languages.
 * @param {Text | string | null | undefined} text
 * @returns {string}
 */
export function pick(text) {
  if (!text) return "";
  return typeof text === "string" ? text : (text[state.language] ?? text.en);
}

/** The text of a key, as locale/view.toml has it under `view.`. @param {string} key */
function textOf(key) {
  return state.texts[`view.${key}`] ?? key;
}

/**
 * A text with its values put in, as a string.
 * @param {string} key
 * @param {Record<string, any>} [values]
 */
export function say(key, values = {}) {
  return pick(textOf(key)).replace(/\{(\w+)\}/g, (_, name) => String(values[name] ?? ""));
}

/**
 * A text as nodes: values may be elements, `code` becomes <code>.
 * @param {string | Text} key @param {Record<string, any>} [values] @returns {(Node | string)[]}
 */
export function prose(key, values = {}) {
  const text = pick(typeof key === "string" ? textOf(key) : key);
  return text
    .split(/(`[^`]+`|\{\w+\})/)
    .filter(Boolean)
    .map((part) => {
      if (part.startsWith("`")) return inline(fill(part.slice(1, -1), values));
      const name = /^\{(\w+)\}$/.exec(part)?.[1];
      return name ? (values[name] ?? "") : part;
    });
}

/** Short code stays on its line. @param {string} text */
function inline(text) {
  return h("code", { class: text.length < 30 ? "whole" : null }, text);
}

/** @param {string} text @param {Record<string, any>} values */
function fill(text, values) {
  return text.replace(/\{(\w+)\}/g, (_, name) => String(values[name] ?? ""));
}

/** A list of names in a sentence. @param {string[]} names */
export function listed(names) {
  return names.join(state.language === "zh" ? "、" : ", ");
}
