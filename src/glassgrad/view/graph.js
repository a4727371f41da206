// @ts-check
/** The computation graph that the data brings, as SVG, or as text if it is not well formed. */

import { h } from "./element.js";
import { pick, say } from "./words.js";

const NOT_DRAWN = "script, foreignObject, a, image, use, iframe, animate, set";

/**
 * @typedef {import("./words.js").Text | string} Words
 * @param {{ text: Words, svg: Words } | null | undefined} graph
 */
export function graph(graph) {
  if (!graph) return null;
  const parsed = new DOMParser().parseFromString(pick(graph.svg), "image/svg+xml");
  const drawing = parsed.documentElement;
  const text = h("pre", null, pick(graph.text));
  if (drawing.nodeName !== "svg" || parsed.querySelector("parsererror")) return text;
  clean(drawing);
  drawing.setAttribute("role", "img");
  if (!drawing.hasAttribute("aria-label")) drawing.setAttribute("aria-label", say("graph"));
  return h(
    "figure",
    { class: "graph" },
    h("div", { class: "scroll" }, document.importNode(drawing, true)),
    h("details", null, h("summary", null, say("as-text")), text),
  );
}

/** A drawing only draws. @param {Element} drawing */
function clean(drawing) {
  for (const element of drawing.querySelectorAll(NOT_DRAWN)) element.remove();
  for (const element of [drawing, ...drawing.querySelectorAll("*")]) {
    for (const { name } of [...element.attributes])
      if (/^on|href$/i.test(name)) element.removeAttribute(name);
  }
}
