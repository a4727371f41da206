// @ts-check
/** How numbers are written. null stands for what is not finite. */

export const NOT_FINITE = "—";

/**
 * Four decimals; tiny and huge ones by exponent.
 * @param {number | null | undefined} value
 * @returns {string}
 */
export function fixed(value, decimals = 4) {
  if (value === null || value === undefined) return NOT_FINITE;
  const size = Math.abs(value);
  if (size !== 0 && (size < 0.5 * 10 ** -decimals || size >= 1e7)) return value.toExponential(2);
  return value === 0 ? (0).toFixed(decimals) : value.toFixed(decimals);
}

/**
 * Exactly so many decimals, as answers are written: 8.00.
 * @param {number | null | undefined} value
 * @param {number} decimals
 */
export function plain(value, decimals) {
  if (value === null || value === undefined) return NOT_FINITE;
  const text = value.toFixed(decimals);
  return Number(text) === 0 ? (0).toFixed(decimals) : text;
}

/** Every digit there is. @param {number | null | undefined} value @returns {string} */
export function full(value) {
  return value === null || value === undefined ? NOT_FINITE : String(value);
}

/**
 * As short as it can be: 8, 0.8, 41.9819.
 * @param {number | null | undefined} value
 * @returns {string}
 */
export function short(value) {
  return value === null || value === undefined ? NOT_FINITE : String(Number(fixed(value)));
}

/**
 * In two digits, as tables of many runs have them: 0.0031, 4.0, 510.
 * @param {number | null | undefined} value
 * @returns {string}
 */
export function two(value) {
  if (value === null || value === undefined) return NOT_FINITE;
  const size = Math.abs(value);
  if (size !== 0 && (size < 1e-4 || size >= 1e4)) return value.toExponential(1).replace("+", "");
  return size < 10 ? value.toPrecision(2) : whole(Math.round(value));
}

/** A share in percent, with one decimal, without the sign: 95.0. @param {number} share */
export function percent(share) {
  return (100 * share).toFixed(1);
}

/** Whole numbers with separators: 1,000. @param {number} value @returns {string} */
export function whole(value) {
  return value.toLocaleString("en");
}

/**
 * A sign's class, for colour.
 * @param {number | null | undefined} value
 * @returns {"plus" | "minus" | "zero"}
 */
export function sign(value) {
  if (!value) return "zero";
  return value > 0 ? "plus" : "minus";
}

/**
 * The largest size among numbers, at least `least`.
 * @param {(number | null | undefined)[]} values
 */
export function largest(values, least = 1e-12) {
  return values.reduce((/** @type {number} */ most, value) => Math.max(most, Math.abs(value ?? 0)), least);
}
