// @ts-check
/** The map of answers: 10 by 10 questions, coloured by the error of each answer. */

import { h, s } from "./element.js";
import { plain, sign } from "./number.js";
import { answer, question } from "./question.js";
import { value } from "./value.js";
import { say } from "./words.js";

/** How strongly an error is coloured: 0 for none, 1 from 10 on. @param {number | null} error */
function strength(error) {
  return error === null ? 0 : Math.min(1, Math.sqrt(Math.abs(error) / 10));
}

/** @param {number | null} given @param {number | null} truth */
function errorOf(given, truth) {
  return given === null || truth === null ? null : given - truth;
}

/** All maps of a watch: one for each third input. @param {any} watch @returns {any[]} */
export function mapsOf(watch) {
  if (watch.maps?.length) return watch.maps;
  return watch.map ? [watch.map] : [];
}

/**
 * The inputs of one cell: x1, x2, and what the map holds fixed ("x3 = 1").
 * @param {any} map
 * @param {number} x1
 * @param {number} x2
 */
function inputsOf(map, x1, x2) {
  const fixed = [...(map.fixed ?? "").matchAll(/=\s*(-?[\d.]+)/g)].map((found) => Number(found[1]));
  return [x1, x2, ...fixed];
}

/** What the maps know about a question. @param {any} watch @param {number[]} inputs */
export function placeOf(watch, inputs) {
  const map = mapsOf(watch).find((one) => String(inputsOf(one, inputs[0], inputs[1])) === String(inputs));
  const [row, column] = [map?.rows.indexOf(inputs[0]), map?.columns.indexOf(inputs[1])];
  const known = map && row >= 0 && column >= 0;
  return known ? { answer: map.answers[row][column], truth: map.truth[row][column] } : null;
}

/** @typedef {{ inputs: number[], truth: number, answer: number | null, place: object }} Cell */

/** The cells of a map, one after the other. @param {any} map @param {number} size @returns {Cell[]} */
function cellsOf(map, size) {
  return map.rows.flatMap((/** @type {number} */ x1, /** @type {number} */ row) =>
    map.columns.map((/** @type {number} */ x2, /** @type {number} */ column) => ({
      inputs: inputsOf(map, x1, x2),
      truth: map.truth[row][column],
      answer: map.answers[row][column],
      place: { x: column * size, y: row * size, width: size - 1.5, height: size - 1.5, rx: 2 },
    })),
  );
}

/** Whether the page comes to the answers that the data brings. @param {any} watch @param {Cell[]} cells */
function canAnswer(watch, cells) {
  return cells.every(({ inputs, answer: known }) => {
    const own = answer(watch, watch.final.parameters, inputs);
    return own !== null && known !== null && Math.abs(own - known) < 1e-3 * (1 + Math.abs(known));
  });
}

/**
 * A small map that follows the slider; null where the page cannot work the answers out.
 * @param {any} watch
 */
export function smallMap(watch) {
  const [map] = mapsOf(watch);
  const size = 18;
  const cells = map ? cellsOf(map, size) : [];
  if (!map || !canAnswer(watch, cells)) return null;
  const squares = cells.map(({ place }) => s("rect", place));
  const viewBox = `0 0 ${size * map.columns.length} ${size * map.rows.length}`;
  const drawing = s("svg", { viewBox, class: "small-map", role: "img" }, squares);
  const caption = h("figcaption");
  const update = (/** @type {any} */ now) => {
    const errors = cells.map((one) => errorOf(answer(watch, now.step.parameters, one.inputs), one.truth));
    errors.forEach((error, index) => {
      squares[index].setAttribute("class", sign(error));
      squares[index].style.setProperty("--strength", strength(error).toFixed(3));
    });
    const solved = errors.filter((error) => error !== null && Math.abs(error) < 0.5).length;
    const held = map.fixed ? `${map.fixed}: ` : "";
    caption.textContent = say("small-map", { solved, all: cells.length, fixed: held });
    drawing.setAttribute("aria-label", caption.textContent);
  };
  return { element: h("figure", { class: "beside" }, drawing, caption), update };
}

/**
 * A large map after training: every answer a button that opens its working.
 * @param {any} watch
 * @param {any} map
 */
export function largeMap(watch, map) {
  const { rows, columns, answers, truth } = map;
  const head = h(
    "tr",
    null,
    h("th", { class: "corner", "aria-label": "x1, x2" }, h("span", null, "x1"), h("span", null, "x2")),
    columns.map((/** @type {number} */ x2) => h("th", { scope: "col" }, x2)),
  );
  const body = rows.map((/** @type {number} */ x1, /** @type {number} */ row) =>
    h(
      "tr",
      null,
      h("th", { scope: "row" }, x1),
      columns.map((/** @type {number} */ x2, /** @type {number} */ column) =>
        cell(watch, inputsOf(map, x1, x2), answers[row][column], truth[row][column]),
      ),
    ),
  );
  const title = map.fixed ? h("caption", null, h("code", null, map.fixed)) : null;
  const table = h("table", { class: "map" }, title, h("thead", null, head), h("tbody", null, body));
  roving(table);
  return h("figure", null, table, h("figcaption", null, key()));
}

/**
 * @param {any} watch
 * @param {number[]} inputs
 * @param {number | null} given
 * @param {number | null} truth
 */
function cell(watch, inputs, given, truth) {
  const error = errorOf(given, truth);
  const button = value(`question:${inputs.join(",")}`, given, question(watch, inputs), plain(given, 2));
  button.dataset.brief = plain(given, 1);
  button.tabIndex = -1;
  const wrong = error === null || Math.abs(error) >= 0.5;
  return h(
    "td",
    { class: `${sign(error)}${wrong ? " wrong" : ""}`, style: `--strength: ${strength(error).toFixed(3)}` },
    button,
  );
}

/** One stop for the tabulator; arrow keys move within. @param {HTMLElement} table */
function roving(table) {
  const buttons = [...table.querySelectorAll("button")];
  const width = buttons.length / Math.max(1, table.querySelectorAll("tbody tr").length);
  if (buttons[0]) buttons[0].tabIndex = 0;
  table.addEventListener("keydown", (event) => {
    const move = { ArrowRight: 1, ArrowLeft: -1, ArrowDown: width, ArrowUp: -width }[event.key];
    const from = buttons.indexOf(/** @type {any} */ (event.target));
    const to = move === undefined ? undefined : buttons[from + move];
    if (!to) return;
    event.preventDefault();
    buttons[from].tabIndex = -1;
    to.tabIndex = 0;
    to.focus();
  });
}

/** What the colours mean. */
function key() {
  const patch = (/** @type {string} */ kind, /** @type {number} */ error) =>
    h("i", { class: `patch ${kind}`, style: `--strength: ${strength(error)}` });
  return [
    h("span", null, patch("minus", 2), say("too-low")),
    h("span", null, patch("zero", 0), say("right")),
    h("span", null, patch("plus", 2), say("too-high")),
    h("span", null, h("i", { class: "patch wrong" }), say("off-half")),
  ];
}
