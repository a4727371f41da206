// @ts-check
/** The panel beside the text (a sheet from below on phones): one note, and the trail that led to it. */

import { h, nodes } from "./element.js";
import { label, note } from "./note.js";
import { say } from "./words.js";

/** A panel with its own trail. @param {() => any} now gives the moment */
export function panel(now) {
  /** @type {{ trail: string[], opener: any }} */
  const state = { trail: [], opener: null };
  const element = h("aside", { class: "panel", id: "panel", tabindex: -1 });
  const draw = () => drawPanel(element, now(), state.trail);
  const show = (/** @type {string[]} */ trail) => {
    state.trail = trail;
    draw();
  };
  const open = (/** @type {string} */ target, /** @type {any} */ opener) => {
    state.opener = opener;
    show([target]);
    uncover(opener, element);
    element.focus({ preventScroll: true });
  };
  const close = () => {
    show([]);
    refocus(state.opener);
  };
  const push = (/** @type {string} */ target) => {
    show([...state.trail, target]);
    element.focus({ preventScroll: true });
  };
  const back = (/** @type {number} */ length) => {
    show(state.trail.slice(0, length));
    element.focus({ preventScroll: true });
  };
  element.addEventListener("click", (/** @type {any} */ event) =>
    follow(event.target, { push, back, close }),
  );
  return { element, open, close, draw, clear: () => show([]), isOpen: () => state.trail.length > 0 };
}

/**
 * @param {any} clicked
 * @param {{ push: (target: string) => void, back: (length: number) => void, close: () => void }} actions
 */
function follow(clicked, { push, back, close }) {
  const button = clicked.closest("button");
  if (button?.dataset.push) push(button.dataset.push);
  if (button?.dataset.back) back(Number(button.dataset.back));
  if (button?.dataset.close) close();
}

/** Scrolls what was clicked out from under the sheet. @param {Element} opener @param {HTMLElement} element */
function uncover(opener, element) {
  if (getComputedStyle(element).position !== "fixed") return;
  const gap = opener.getBoundingClientRect().bottom - element.getBoundingClientRect().top;
  if (gap > 0) scrollBy({ top: gap + 24 });
}

/** Focus returns to what opened the panel, or to what stands there now. @param {any} opener */
function refocus(opener) {
  const target = opener?.dataset.open;
  const there = opener?.isConnected
    ? opener
    : target && document.querySelector(`[data-open="${CSS.escape(target)}"]`);
  there?.focus({ preventScroll: true });
}

/** @param {HTMLElement} element @param {any} moment @param {string[]} trail */
function drawPanel(element, moment, trail) {
  const target = trail.at(-1);
  document.body.classList.toggle("panel-open", Boolean(target && moment));
  element.setAttribute("aria-label", say("panel"));
  if (!target || !moment) return element.replaceChildren(h("p", { class: "invitation" }, say("invitation")));
  const title = label(moment.watch, target);
  element.replaceChildren(
    ...nodes([
      h("div", { class: "panel-head" }, crumbs(moment.watch, trail), closeButton()),
      h("h3", null, h("code", null, title)),
      note(moment, target),
    ]),
  );
  element.scrollTop = 0;
}

function closeButton() {
  return h(
    "button",
    { type: "button", class: "close", "data-close": "yes", "aria-label": say("close") },
    "×",
  );
}

/** The trail, each stop a way back. @param {any} watch @param {string[]} trail */
function crumbs(watch, trail) {
  const stops = trail
    .slice(0, -1)
    .map((target, index) =>
      h(
        "li",
        null,
        h("button", { type: "button", class: "plain", "data-back": index + 1 }, label(watch, target)),
      ),
    );
  const back =
    trail.length > 1 &&
    h(
      "li",
      null,
      h("button", { type: "button", class: "plain back", "data-back": stops.length }, "← ", say("back")),
    );
  return h("nav", { "aria-label": say("trail") }, h("ol", { class: "trail" }, back, stops));
}
