// @ts-check
/** Elements: one call makes one, with its attributes, listeners and children. */

const SVG = "http://www.w3.org/2000/svg";

/** @typedef {Node | string | number | null | undefined | false} Child */
/** @typedef {Record<string, any>} Attributes */

/**
 * An HTML element: h("p", { class: "lead" }, "text").
 * @param {string} tag @param {Attributes | null} [attributes] @param {...(Child | Child[])} children
 * @returns {any}
 */
export function h(tag, attributes, ...children) {
  return dress(document.createElement(tag), attributes, children);
}

/**
 * An SVG element: s("line", { x1: 0 }).
 * @param {string} tag @param {Attributes | null} [attributes] @param {...(Child | Child[])} children
 * @returns {any}
 */
export function s(tag, attributes, ...children) {
  return dress(document.createElementNS(SVG, tag), attributes, children);
}

/**
 * @param {Element} element
 * @param {Attributes | null | undefined} attributes
 * @param {any[]} children
 */
function dress(element, attributes, children) {
  for (const [name, value] of Object.entries(attributes ?? {})) put(element, name, value);
  element.append(...nodes(children));
  return element;
}

/**
 * One attribute (null or false: none), or one listener.
 * @param {Element} element
 * @param {string} name
 * @param {any} value
 */
function put(element, name, value) {
  if (value === null || value === undefined || value === false) return;
  if (typeof value === "function") element.addEventListener(name.slice(2), value);
  else element.setAttribute(name, value === true ? "" : String(value));
}

/**
 * Children without the empty ones, flattened.
 * @param {any[]} children
 * @returns {(Node | string)[]}
 */
export function nodes(children) {
  const present = children
    .flat(3)
    .filter((child) => child !== null && child !== undefined && child !== false);
  return present.map((child) => (child instanceof Node ? child : String(child)));
}

/**
 * A piece that is drawn anew at every step.
 * @param {string} name
 * @param {(moment: any) => any} draw
 */
export function live(name, draw) {
  const element = h("div", { class: name });
  return {
    element,
    update: (/** @type {any} */ moment) => element.replaceChildren(...nodes([draw(moment)])),
  };
}
