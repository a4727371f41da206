// @ts-check
/** The page: what is on it, where the reader is, and what every click does. */

import { chaptersOf, drawChapter, find } from "./book.js";
import { contents, header, onward } from "./frame.js";
import { h } from "./element.js";
import { moment, shownSteps } from "./moment.js";
import { panel } from "./panel.js";
import { readPlace, recall, writePlace } from "./place.js";
import { readReport } from "./report.js";
import { paint, whenSystemChanges } from "./theme.js";
import { language, setLanguage, setTexts } from "./words.js";

const NARROW = matchMedia("(max-width: 600px)");

/** @param {any} report */
function page(report) {
  const chapters = chaptersOf(report);
  const root = h("div", { class: "page" });
  const place = readPlace();
  /** @type {any} */
  const state = { chapter: find(chapters, place.chapter), index: 0, shown: null };
  state.index = indexOfStep(state.chapter.watch, place.step);
  const now = () => (state.chapter.watch ? moment(state.chapter.watch, state.index) : null);
  const side = panel(now);
  const redraw = () => inPlace(draw);
  const keepPlace = () => writePlace(state.chapter.id, now()?.step.step ?? null, language());
  const draw = () => {
    const titled = chapters.map((chapter) => ({ ...chapter, title: chapter.titleOf() }));
    const current = find(titled, state.chapter.id);
    state.shown = drawChapter(report, titled, current, state.index, NARROW.matches, goStep);
    compose(root, { report, titled, current, shown: state.shown, side, redraw });
    keepPlace();
  };
  const goStep = (/** @type {number} */ index) => {
    state.index = Math.max(0, Math.min(shownSteps(state.chapter.watch).length - 1, index));
    state.shown.update(now());
    if (side.isOpen()) side.draw();
    keepPlace();
  };
  const goChapter = (/** @type {string} */ id) => {
    Object.assign(state, { chapter: find(chapters, id), index: 0 });
    side.clear();
    draw();
    scrollTo({ top: 0, behavior: "instant" });
    root.querySelector("h1")?.focus({ preventScroll: true });
  };
  document.body.append(root);
  const goTo = (/** @type {number} */ step) => goStep(indexOfStep(state.chapter.watch, step));
  listen(root, { goChapter, goTo, side });
  NARROW.addEventListener("change", redraw);
  whenSystemChanges(redraw);
  draw();
}

/** Draws anew without losing the reader's line. @param {() => void} draw */
function inPlace(draw) {
  const top = scrollY;
  draw();
  scrollTo({ top, behavior: "instant" });
}

/** Puts everything in its place. @param {HTMLElement} root @param {any} parts */
function compose(root, { report, titled, current, shown, side, redraw }) {
  const main = h("main", { id: "main" }, shown.element, onward(titled, current));
  const columns = current.watch ? [main, side.element] : [main];
  root.replaceChildren(
    header(report, redraw),
    h(
      "div",
      { class: `columns${current.watch ? "" : " wide"}` },
      contents(titled, current, shown.sections),
      columns,
    ),
  );
  document.documentElement.lang = language() === "zh" ? "zh-CN" : "en";
  document.title = `${current.title} · Glassgrad`;
  side.draw();
}

/** The shown step nearest to a step. @param {any} watch @param {number | null} step */
function indexOfStep(watch, step) {
  const gaps = watch && step ? shownSteps(watch).map(({ step: shown }) => Math.abs(shown - step)) : [];
  return Math.max(0, gaps.indexOf(Math.min(...gaps)));
}

/**
 * One listener for all clicks: numbers open the panel, chapters change, curves move the slider.
 * @param {HTMLElement} root
 * @param {any} actions
 */
function listen(root, { goChapter, goTo, side }) {
  const act = (/** @type {any} */ event) => {
    const clicked = event.target.closest("[data-open], [data-chapter], [data-section]");
    if (clicked?.dataset.open) side.open(clicked.dataset.open, clicked);
    if (clicked?.dataset.chapter) goChapter(clicked.dataset.chapter);
    if (clicked?.dataset.section) document.getElementById(clicked.dataset.section)?.scrollIntoView();
  };
  root.addEventListener("click", act);
  root.addEventListener("go", (/** @type {any} */ event) => event.detail && goTo(event.detail));
  addEventListener("keydown", (event) => {
    const target = /** @type {Element} */ (event.target);
    if (event.key === "Escape" && side.isOpen()) side.close();
    if (!target.closest?.("svg [data-open]") || !["Enter", " "].includes(event.key)) return;
    event.preventDefault();
    act(event);
  });
}

const report = await readReport();
setTexts(report.texts);
setLanguage(readPlace().language ?? recall("language") ?? report.language);
paint();
page(report);
addEventListener("hashchange", () => location.reload());
