// @ts-check
/**
 * The network as a drawing: units with their values, weights as lines whose width and colour are their size
 * and sign.
 */

import { h, s } from "./element.js";
import { fixed, largest, sign } from "./number.js";
import { inputName, numberOf, parametersOf, sizesOf } from "./parameter.js";
import { shownSteps } from "./moment.js";
import { inputOf } from "./value.js";
import { prose, say } from "./words.js";

const MOST = 16; // units of a layer that are drawn; of wider layers the first FEW
const FEW = 12;

/** @typedef {{ name: string, layer: number, unit: number, x: number, y: number }} Unit */

/** @param {any} watch @param {boolean} narrow */
export function network(watch, narrow) {
  const plan = layout(watch.experiment, narrow);
  const readout = h("span", { class: "readout" });
  const lines = plan.parameters.map((which) => drawParameter(which, plan));
  const pills = plan.units.map((unit) => drawUnit(unit, plan));
  const drawing = s(
    "svg",
    {
      viewBox: `0 0 ${plan.width} ${plan.height}`,
      class: "network",
      role: "group",
      "aria-label": say("network"),
      style: `min-width: ${Math.min(plan.width, plan.least)}px; max-width: ${1.25 * plan.width}px`,
    },
    lines.map((line) => line.element),
    pills.map((pill) => pill.element),
    plan.more.map(drawMore),
  );
  const scale = scales(watch, plan.parameters);
  const update = (/** @type {any} */ now) => [...lines, ...pills].forEach((part) => part.update(now, scale));
  const element = h("figure", null, h("div", { class: "scroll" }, drawing), h("figcaption", null, readout));
  readoutOf(element, readout);
  return { element, update, large: plan.least > 395 };
}

/**
 * The caption says what the pointer or the focus is on.
 * @param {HTMLElement} figure
 * @param {HTMLElement} readout
 */
function readoutOf(figure, readout) {
  const help = () =>
    readout.replaceChildren(
      ...prose("network-help", {
        plus: h("b", { class: "plus" }, say("blue")),
        minus: h("b", { class: "minus" }, say("orange")),
      }),
    );
  const show = (/** @type {Event} */ event) => {
    const part = /** @type {Element} */ (event.target).closest("[data-open]");
    if (part) readout.replaceChildren(h("code", null, part.getAttribute("aria-label") ?? ""));
    else help();
  };
  for (const kind of ["pointerover", "focusin"]) figure.addEventListener(kind, show);
  for (const kind of ["pointerleave", "focusout"]) figure.addEventListener(kind, help);
  help();
}

/** Places of all units. @param {any} experiment @param {boolean} narrow */
function layout(experiment, narrow) {
  /** @type {number[]} */
  const sizes = sizesOf(experiment);
  const drawn = sizes.map((size) => (size > MOST ? FEW : size));
  const tallest = Math.max(...drawn);
  const dense = tallest > 6;
  const pill = { width: dense ? (narrow ? 84 : 92) : narrow ? 62 : 74, height: dense ? 22 : 30, dense };
  const [margin, pitch] = [pill.width / 2 + 10, dense ? 31 : 62];
  const least = sizes.length * (pill.width + (narrow ? 14 : 32));
  const width = Math.max(narrow ? 320 : 460, least);
  const cut = sizes.some((size) => size > MOST) ? 34 : 0;
  const height = tallest * pitch + (dense ? 12 : 26) + cut;
  const column = (/** @type {number} */ layer) =>
    margin + (layer * (width - 2 * margin)) / Math.max(1, sizes.length - 1);
  const row = (/** @type {number} */ layer, /** @type {number} */ unit) =>
    (height - cut) / 2 + (dense ? 0 : 8) + (unit - (drawn[layer] - 1) / 2) * pitch;
  const units = drawn.flatMap((size, layer) =>
    Array.from({ length: size }, (_, unit) => ({
      name: unitName(experiment, layer, unit + 1),
      layer,
      unit: unit + 1,
      x: column(layer),
      y: row(layer, unit),
    })),
  );
  const more = sizes.flatMap((size, layer) =>
    size > MOST ? [{ x: column(layer), y: height - 10, count: size - FEW }] : [],
  );
  const parameters = parametersOf(experiment, drawn);
  return { width, height, least, pill, units, more, parameters };
}

/** @param {any} experiment @param {number} layer @param {number} unit */
function unitName({ network, output_activation }, layer, unit) {
  if (layer === 0) return `x${unit}`;
  const last = network.length - 1;
  if (layer < last) return inputName(layer + 1, unit);
  const plain = !output_activation || output_activation === "linear";
  if (network[last] === 1) return plain ? `z${last}` : "o";
  return plain ? `z${last}_${unit}` : `o${unit}`;
}

/**
 * The largest weight and bias among all shown steps.
 * @param {any} watch
 * @param {any[]} parameters
 */
function scales(watch, parameters) {
  const steps = shownSteps(watch);
  const most = (/** @type {any[]} */ which) =>
    largest(steps.flatMap((step) => which.map((one) => numberOf(step.parameters, one))));
  return {
    weight: most(parameters.filter((one) => one.input !== null)),
    bias: most(parameters.filter((one) => one.input === null)),
  };
}

/** A weight as a line, a bias as a dot at its unit. @param {any} which @param {any} plan */
function drawParameter(which, plan) {
  const at = (/** @type {number} */ layer, /** @type {number} */ unit) =>
    plan.units.find((/** @type {Unit} */ one) => one.layer === layer && one.unit === unit);
  const to = at(which.layer, which.unit);
  const shape =
    which.input === null ? drawBias(to, plan) : drawWeight(at(which.layer - 1, which.input), to, plan);
  shape.element.setAttribute("data-open", `parameter:${which.name}`);
  const update = (/** @type {any} */ now, /** @type {any} */ scale) => {
    const number = numberOf(now.step.parameters, which);
    const part = Math.abs(number ?? 0) / (which.input === null ? scale.bias : scale.weight);
    shape.paint(part, sign(number));
    const slope = numberOf(now.step.gradients, which);
    shape.element.setAttribute(
      "aria-label",
      `${which.name} = ${fixed(number)}   ${say("gradient-short")} ${fixed(slope)}`,
    );
  };
  return { element: shape.element, update };
}

/** @param {Unit} from @param {Unit} to @param {any} plan */
function drawWeight(from, to, plan) {
  const ends = { x1: from.x + plan.pill.width / 2, y1: from.y, x2: to.x - plan.pill.width / 2, y2: to.y };
  const line = s("line", ends);
  const element = s(
    "g",
    { class: "weight", role: "button", tabindex: 0 },
    line,
    s("line", { ...ends, class: "reach" }),
  );
  const paint = (/** @type {number} */ part, /** @type {string} */ kind) => {
    line.setAttribute("class", kind);
    line.style.strokeWidth = `${0.6 + 5.4 * part}px`;
    line.style.strokeOpacity = String(0.35 + 0.6 * part);
  };
  return { element, paint };
}

/** @param {Unit} to @param {any} plan */
function drawBias(to, plan) {
  const place = { cx: to.x - plan.pill.width / 2 + 4, cy: to.y - plan.pill.height / 2 - 1 };
  const dot = s("circle", place);
  const element = s(
    "g",
    { class: "bias", role: "button", tabindex: 0 },
    dot,
    s("circle", { ...place, r: 9, class: "reach" }),
  );
  const paint = (/** @type {number} */ part, /** @type {string} */ kind) => {
    dot.setAttribute("class", kind);
    dot.setAttribute("r", String(2.5 + 3 * part));
  };
  return { element, paint };
}

/** @param {Unit} unit @param {any} plan */
function drawUnit(unit, plan) {
  const { width, height, dense } = plan.pill;
  const decimals = dense ? (width < 90 ? 1 : 2) : unit.layer ? 4 : 0;
  const text = s("text", {
    x: unit.x + (dense ? width / 2 - 8 : 0),
    y: unit.y + 4.5,
    class: "number",
    "text-anchor": dense ? "end" : "middle",
  });
  const name = s(
    "text",
    {
      x: unit.x + (dense ? 8 - width / 2 : 0),
      y: unit.y + (dense ? 4 : -height / 2 - 6),
      class: "name",
      "text-anchor": dense ? "start" : "middle",
    },
    unit.name,
  );
  const box = s("rect", { x: unit.x - width / 2, y: unit.y - height / 2, width, height, rx: height / 2 });
  const element = s(
    "g",
    {
      class: "unit",
      role: "button",
      tabindex: 0,
      "data-open": unit.layer ? `equation:${unit.name}` : `input:${unit.name}`,
    },
    box,
    name,
    text,
  );
  const update = (/** @type {any} */ now) => {
    const number = unit.layer ? now.equations.get(unit.name)?.value : inputOf(now, unit.name);
    text.textContent = number === undefined ? "" : fixed(number, decimals);
    element.classList.toggle("silent", number === 0 && unit.layer > 0);
    element.setAttribute("aria-label", `${unit.name} = ${fixed(number)}`);
  };
  return { element, update };
}

/** @param {{ x: number, y: number, count: number }} more */
function drawMore({ x, y, count }) {
  return s("text", { x, y, class: "more", "text-anchor": "middle" }, say("more-units", { count }));
}
