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
  return numbers?.[`W${which.layer}`]?.[which.unit - 1]?.[which.input - 1];
}

/**
 * All parameters of a network, the first `most` units of a layer.
 * @param {number[]} network
 * @returns {Parameter[]}
 */
export function parametersOf(network, most = 16) {
  const found = [];
  for (let layer = 1; layer < network.length; layer++) {
    for (let unit = 1; unit <= Math.min(network[layer], most); unit++) {
      for (let input = 1; input <= Math.min(network[layer - 1], most); input++)
        found.push(parameterName(layer, unit, input));
      found.push(parameterName(layer, unit, null));
    }
  }
  return found.map((name) => /** @type {Parameter} */ (parameter(name)));
}
