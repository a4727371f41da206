// @ts-check
/** A moment: one shown step of one watch, with its equations by name. */

/**
 * @typedef {{ name: string, section: string, symbolic: string, substituted: string, value: number | null,
 *   latex: string, reads: string[], level: string, samples?: any[], checked?: boolean,
 *   difference?: number | null }} Equation
 */
/**
 * @typedef {{ watch: any, index: number, step: any, sample: any, equations: Map<string, Equation> }} Moment
 */

/** The steps of a watch that carry equations. @param {any} watch @returns {any[]} */
export function shownSteps(watch) {
  const shown = new Set(watch.shown);
  return watch.steps.filter((/** @type {any} */ step) => shown.has(step.step));
}

/** @param {any} watch @param {number} index among the shown steps @returns {Moment | null} */
export function moment(watch, index) {
  const step = shownSteps(watch)[index];
  if (!step) return null;
  /** @type {Map<string, Equation>} */
  const equations = new Map(
    step.equations.map((/** @type {Equation} */ equation) => [equation.name, equation]),
  );
  return { watch, index, step, sample: sampleOf(watch, index, step), equations };
}

/**
 * The sample that is shown in full; where data is fresh at every step, each step has to bring its own.
 * @param {any} watch
 * @param {number} index
 * @param {any} step
 */
function sampleOf(watch, index, step) {
  const { fresh, batch } = watch.experiment;
  return step.sample ?? (index === 0 || !(fresh || batch) ? watch.sample : null);
}

/** @param {Moment} now @param {string} section @returns {Equation[]} */
export function equationsOf(now, section) {
  return [...now.equations.values()].filter((equation) => equation.section === section);
}

/** The kind of a quantity: z1 of z1_4, dW1 of dW1_4_x1, m_W1 of m_W1_4_x1. @param {string} name */
export function family(name) {
  const parts = name.split("_");
  const own = parts.findIndex((part) => /^d?[WBb]\d/.test(part));
  return parts.slice(0, Math.max(own, 0) + 1).join("_");
}

/** Which equations read this one. @param {Moment} now @param {string} name @returns {Equation[]} */
export function readersOf(now, name) {
  return [...now.equations.values()].filter(
    (equation) => equation.name !== name && equation.reads.includes(name),
  );
}
