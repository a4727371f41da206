// @ts-check
/** Parameters by name: W1_4_x1 (layer 1, unit 4, from x1), W2_1_a1_4, b1_4. */

/**
 * @typedef {{ name: string, gradient: string, layer: number, unit: number, input: number | null }} Parameter
 */

const NAME = /^(?:W(\d+)_(\d+)_(?:x|a\d+_)(\d+)|b(\d+)_(\d+))$/;

/**
 * What a name stands for; null if it is no parameter.
 * @param {string} name
 * @returns {Parameter | null}
 */
export function parameter(name) {
  const found = NAME.exec(name);
  if (!found) return null;
  const [layer, unit] = [Number(found[1] ?? found[4]), Number(found[2] ?? found[5])];
  const input = found[3] ? Number(found[3]) : null;
  return { name, gradient: input === null ? name.replace("b", "dB") : `d${name}`, layer, unit, input };
}

/** The parameter whose new value an equation gives: W1_4_x1_new. @param {string} name */
export function updatedBy(name) {
  return parameter(name.replace(/(_new)+$/, ""));
}

/** The equation that gives a parameter's new value. @param {any} now @param {Parameter} which */
export function newOf(now, which) {
  return now.equations.get(`${which.name}_new`) ?? now.equations.get(which.name);
}

/** The name of an input of a layer. @param {number} layer @param {number} input */
export function inputName(layer, input) {
  return layer === 1 ? `x${input}` : `a${layer - 1}_${input}`;
}

/**
 * The name of a weight, or of a bias (input null).
 * @param {number} layer
 * @param {number} unit
 * @param {number | null} input
 */
export function parameterName(layer, unit, input) {
  return input === null ? `b${layer}_${unit}` : `W${layer}_${unit}_${inputName(layer, input)}`;
}

/**
 * A parameter's number in an object like {"W1": [[…]], "b1": […]}: its value, its gradient or its change.
 * @param {Record<string, any> | null | undefined} numbers
 * @param {Parameter} which
 * @returns {number | null | undefined}
 */
export function numberOf(numbers, which) {
  if (which.input === null) return numbers?.[`b${which.layer}`]?.[which.unit - 1];
  const row = numbers?.[`W${which.layer}`]?.[which.unit - 1];
  return row?.[(which.input - 1) % row.length]; // where networks are apart, a row has its own part's weights only
}

/**
 * How many units each layer really has: where networks are apart, those of all of them.
 * @param {any} experiment
 * @returns {number[]}
 */
export function sizesOf({ sizes, network }) {
  return sizes ?? network;
}

/**
 * Whether a unit reads an input: where networks are apart, only one of its own part.
 * @param {any} experiment
 * @param {number} layer
 * @param {number} unit
 * @param {number} input
 */
function readsInput(experiment, layer, unit, input) {
  const [sizes, parts] = [sizesOf(experiment), experiment.parts ?? 1];
  const part = (/** @type {number} */ one, /** @type {number} */ size) => Math.floor(((one - 1) * parts) / size);
  return layer === 1 || part(unit, sizes[layer]) === part(input, sizes[layer - 1]);
}

/**
 * All parameters of a network, those of the first units of each layer.
 * @param {any} experiment
 * @param {number[]} [drawn] how many of them; at most 16 if it is not said
 * @returns {Parameter[]}
 */
export function parametersOf(experiment, drawn = sizesOf(experiment).map((size) => Math.min(size, 16))) {
  const found = [];
  for (let layer = 1; layer < drawn.length; layer++) {
    for (let unit = 1; unit <= drawn[layer]; unit++) {
      for (let input = 1; input <= drawn[layer - 1]; input++)
        if (readsInput(experiment, layer, unit, input)) found.push(parameterName(layer, unit, input));
      found.push(parameterName(layer, unit, null));
    }
  }
  return found.map((name) => /** @type {Parameter} */ (parameter(name)));
}
