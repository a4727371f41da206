// @ts-check
/** Questions, and the answers a network gives to them. */

import { activation } from "./activation.js";
import { short } from "./number.js";
import { numberOf, parameter, parameterName } from "./parameter.js";
import { say } from "./words.js";

/**
 * A question as text: 5 + 3, or x1 = 5, x2 = 3.
 * @param {any} watch
 * @param {(number | null)[] | null | undefined} inputs
 * @returns {string}
 */
export function question(watch, inputs) {
  if (!inputs) return say("a-sample");
  const known = watch.tests.find((/** @type {any} */ test) => same(test.inputs, inputs));
  if (known) return known.question;
  const { template, inputs: names } = watch.experiment;
  if (!template) return inputs.map((value, index) => `x${index + 1} = ${short(value)}`).join(", ");
  return template.replace(
    /\{(\w+)(:sign)?\}/g,
    (/** @type {string} */ _, /** @type {string} */ name, /** @type {string | undefined} */ asSign) => {
      const value = inputs[names ? names.indexOf(name) : Number(name.slice(1)) - 1];
      return asSign ? (Number(value) < 0 ? "-" : "+") : short(value);
    },
  );
}

/** @param {any[] | undefined} left @param {any[]} right */
function same(left, right) {
  return left?.length === right.length && right.every((value, index) => value === left[index]);
}

/**
 * The forward pass, unit by unit; null where an activation is the user's own formula.
 * @param {any} watch @param {any} parameters @param {number[]} inputs
 * @returns {{ z: number[], a: number[] }[] | null}
 */
export function worked(watch, parameters, inputs) {
  const { network, output_activation } = watch.experiment;
  const [hidden, last] = [activation(watch.experiment.activation), activation(output_activation)];
  if (!hidden || !last) return null;
  const layers = [];
  let values = inputs;
  for (let layer = 1; layer < network.length; layer++) {
    const z = sums(parameters[`W${layer}`], parameters[`b${layer}`], values);
    values = z.map(layer === network.length - 1 ? last : hidden);
    layers.push({ z, a: values });
  }
  return layers;
}

/** @param {number[][]} weights @param {number[]} biases @param {number[]} values */
function sums(weights, biases, values) {
  return weights.map((row, unit) => {
    const read = valuesOf(weights, unit, values);
    return row.reduce((sum, weight, input) => sum + weight * read[input], biases[unit]);
  });
}

/**
 * What a unit reads of the values below: where networks are apart, those of its own part.
 * @param {number[][]} weights @param {number} unit from 0 @param {number[]} values
 */
function valuesOf(weights, unit, values) {
  const first = firstOf(weights, unit, values);
  return values.slice(first, first + weights[unit].length);
}

/** @param {number[][]} weights @param {number} unit @param {number[]} values */
function firstOf(weights, unit, values) {
  const [each, parts] = [weights[unit].length, values.length / weights[unit].length];
  return each * Math.floor((unit * parts) / weights.length);
}

/**
 * The network's output for a question; null if the page cannot work it out.
 * @param {any} watch
 * @param {any} parameters
 * @param {number[]} inputs
 */
export function answer(watch, parameters, inputs) {
  const outputs = worked(watch, parameters, inputs)?.at(-1)?.a ?? [];
  return outputs.length === 1 && Number.isFinite(outputs[0]) ? outputs[0] : null;
}

/**
 * A weighted sum with its numbers: 0.3793 · 5 + … + -0.2137.
 * @param {any} parameters
 * @param {number} layer
 * @param {number} unit
 * @param {number[]} values
 */
export function sumText(parameters, layer, unit, values) {
  const number = (/** @type {number | null} */ input) =>
    numberOf(parameters, /** @type {any} */ (parameter(parameterName(layer, unit, input))));
  const weights = parameters[`W${layer}`];
  const first = firstOf(weights, unit - 1, values);
  const terms = valuesOf(weights, unit - 1, values).map(
    (value, index) => `${number(first + index + 1)?.toFixed(4)} · ${short(value)}`,
  );
  return [...terms, number(null)?.toFixed(4)].join(" + ");
}
