// @ts-check
/** The slider over the shown steps. It stays in sight, and moves everything at once. */

import { h } from "./element.js";
import { shownSteps } from "./moment.js";
import { fixed, whole } from "./number.js";
import { prose, say } from "./words.js";

/** @param {any} watch @param {number} index @param {(index: number) => void} go */
export function stepbar(watch, index, go) {
  const steps = shownSteps(watch);
  const slider = h("input", {
    type: "range",
    min: 0,
    max: steps.length - 1,
    step: 1,
    value: index,
    "aria-label": say("step"),
    oninput: (/** @type {any} */ event) => go(Number(event.target.value)),
  });
  const [earlier, later] = [
    arrow("←", say("earlier"), () => go(Number(slider.value) - 1)),
    arrow("→", say("later"), () => go(Number(slider.value) + 1)),
  ];
  const [place, reading] = [h("span", { class: "place" }), h("span", { class: "reading" })];
  const update = (/** @type {any} */ now) => {
    const { step, loss } = now.step;
    slider.value = String(now.index);
    slider.setAttribute("aria-valuetext", `${say("step-number", { step })}, ${say("loss")} ${fixed(loss)}`);
    place.replaceChildren(...placeOf(step, watch.steps.length));
    reading.replaceChildren(...readingOf(now.step));
    earlier.disabled = now.index === 0;
    later.disabled = now.index === steps.length - 1;
  };
  const group = { class: "stepbar", role: "group", "aria-label": say("step") };
  return { element: h("div", group, place, earlier, slider, later, reading), update };
}

/** Step 101 of 1,000. @param {number} step @param {number} steps */
function placeOf(step, steps) {
  const now = prose("step-number", { step: h("b", null, whole(step)) });
  return [...now, h("span", { class: "total" }, say("step-total", { steps: whole(steps) }))];
}

/** The loss, and the reward if there is one. @param {any} step */
function readingOf({ loss, reward }) {
  const one = (/** @type {string} */ key, /** @type {number | null} */ number) =>
    h("span", null, `${say(key)} `, h("b", null, fixed(number)));
  return reward === null ? [one("loss", loss)] : [one("loss", loss), one("reward", reward)];
}

/** @param {string} text @param {string} label @param {() => void} onclick */
function arrow(text, label, onclick) {
  return h("button", { type: "button", class: "arrow", "aria-label": label, onclick }, text);
}
