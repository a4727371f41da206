// @ts-check
/** Activations by name, so that the page can ask a trained network new questions. */

/** @type {Record<string, (z: number) => number>} */
const ACTIVATIONS = {
  linear: (z) => z,
  relu: (z) => Math.max(0, z),
  leakyrelu: (z) => (z > 0 ? z : 0.01 * z),
  elu: (z) => (z > 0 ? z : Math.expm1(z)),
  gelu: (z) => 0.5 * z * (1 + erf(z / Math.SQRT2)),
  silu: (z) => z * sigmoid(z),
  softplus: (z) => (z > 20 ? z : Math.log1p(Math.exp(z))),
  sigmoid: (z) => sigmoid(z),
  tanh: (z) => Math.tanh(z),
  sin: (z) => Math.sin(z),
};

/**
 * The activation of that name; null for a formula of the user's own.
 * @param {string | null | undefined} name
 */
export function activation(name) {
  return ACTIVATIONS[(name ?? "linear").toLowerCase().replace(/[^a-z]/g, "")] ?? null;
}

/** @param {number} z */
function sigmoid(z) {
  return 1 / (1 + Math.exp(-z));
}

/** Abramowitz and Stegun 7.1.26: good to 1.5e-7. @param {number} x */
function erf(x) {
  const t = 1 / (1 + 0.3275911 * Math.abs(x));
  const sum = ((((1.061405429 * t - 1.453152027) * t + 1.421413741) * t - 0.284496736) * t + 0.254829592) * t;
  return Math.sign(x) * (1 - sum * Math.exp(-x * x));
}
