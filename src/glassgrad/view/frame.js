// @ts-check
/** What stands around a chapter: the header, the contents, the way on. */

import { h } from "./element.js";
import { remember } from "./place.js";
import { chooseTheme, theme } from "./theme.js";
import { language, say, setLanguage } from "./words.js";

const LANGUAGES = [
  ["en", "English"],
  ["zh", "中文"],
];

/** @param {any} report @param {() => void} redraw */
export function header(report, redraw) {
  const choose = (/** @type {string} */ key) => {
    setLanguage(key);
    remember("language", key);
    redraw();
    focusOn(`.segmented [lang="${key}"]`);
  };
  const languages = LANGUAGES.map(([key, name]) =>
    h(
      "button",
      { type: "button", lang: key, "aria-pressed": String(language() === key), onclick: () => choose(key) },
      name,
    ),
  );
  return h(
    "header",
    { class: "site" },
    h("a", { class: "skip", href: "#main", onclick: skip }, say("skip")),
    h("span", { class: "wordmark" }, "Glassgrad"),
    h("small", null, report.version),
    h(
      "div",
      { class: "choices" },
      h("div", { role: "group", "aria-label": say("language"), class: "segmented" }, languages),
      themeButton(redraw),
    ),
  );
}

/** The header is drawn anew: the focus goes to what stands there now. @param {string} selector */
function focusOn(selector) {
  /** @type {HTMLElement | null} */ (document.querySelector(selector))?.focus({ preventScroll: true });
}

/** @param {Event} event */
function skip(event) {
  event.preventDefault();
  document.querySelector("h1")?.focus();
}

/** @param {() => void} redraw */
function themeButton(redraw) {
  const other = theme() === "dark" ? "light" : "dark";
  return h(
    "button",
    {
      type: "button",
      class: "theme",
      onclick: () => {
        chooseTheme(other);
        redraw();
        focusOn(".theme");
      },
    },
    say(other),
  );
}

/**
 * Chapters, and the sections of the one that is open.
 * @param {any[]} chapters
 * @param {any} current
 * @param {string[]} sections
 */
export function contents(chapters, current, sections) {
  const inner = h(
    "ol",
    null,
    sections.map((key) =>
      h("li", null, h("button", { type: "button", class: "plain", "data-section": key }, say(key))),
    ),
  );
  const items = chapters.map((chapter) =>
    h(
      "li",
      null,
      entry(chapter, chapter.id === current.id),
      chapter.id === current.id && sections.length ? inner : null,
    ),
  );
  return h(
    "nav",
    { class: "contents", "aria-label": say("contents") },
    chapters.length > 1 && chooser(chapters, current),
    h("ol", null, items),
  );
}

/** @param {any} chapter @param {boolean} open */
function entry(chapter, open) {
  const number = chapter.number ? h("span", { class: "entry-number" }, chapter.number) : null;
  return h(
    "button",
    { type: "button", class: "plain", "data-chapter": chapter.id, "aria-current": open ? "page" : null },
    number,
    chapter.title,
  );
}

/** The contents on a narrow screen. @param {any[]} chapters @param {any} current */
function chooser(chapters, current) {
  const option = (/** @type {any} */ chapter) =>
    h(
      "option",
      { value: chapter.id, selected: chapter.id === current.id },
      `${chapter.number || ""}  ${chapter.title}`.trim(),
    );
  const go = h("button", { type: "button", hidden: true, "data-chapter": current.id });
  const select = h(
    "select",
    {
      id: "chooser",
      "aria-label": say("contents"),
      onchange: () => {
        go.dataset.chapter = select.value;
        go.click();
      },
    },
    chapters.map(option),
  );
  return h("div", { class: "chooser" }, select, go);
}

/** @param {any[]} chapters @param {any} current */
export function onward(chapters, current) {
  const at = chapters.findIndex((chapter) => chapter.id === current.id);
  return h(
    "nav",
    { class: "turn", "aria-label": say("turn") },
    turn(chapters[at - 1], "previous"),
    turn(chapters[at + 1], "next"),
  );
}

/** @param {any} chapter @param {string} key */
function turn(chapter, key) {
  if (!chapter) return h("span");
  return h(
    "button",
    { type: "button", class: `onward ${key}`, "data-chapter": chapter.id },
    h("small", null, say(key)),
    chapter.title,
  );
}
