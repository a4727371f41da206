// @ts-check
/** An experiment's settings as a reader wants them: formulas in place of the names of rows. */

/**
 * What it learns from: a label, its reward's formula, or rewards that are only observed.
 * @param {any} experiment
 * @returns {"label" | "through" | "observed"}
 */
export function feedbackKind(experiment) {
  if (!experiment.reward) return "label";
  const observed = experiment.observed ?? /stop\s*\(/.test(experiment.objective);
  return observed ? "observed" : "through";
}

/**
 * What the objective's line `objective = …` says.
 * @param {any} experiment
 * @returns {string}
 */
export function objectiveOf({ objective, objective_lines }) {
  const lines = linesOf(objective_lines ?? objective);
  const found = lines.find((line) => /^objective\s*=/.test(line)) ?? lines.at(-1) ?? "";
  return found.replace(/^objective\s*=\s*/, "");
}

/** @param {any} experiment @returns {string} */
export function rewardOf({ reward, reward_formula }) {
  return linesOf(reward_formula ?? reward ?? "").at(-1) ?? "";
}

/** @param {any} experiment @returns {string} */
export function regulariserOf({ regulariser, regulariser_formula }) {
  return regulariser_formula ?? regulariser;
}

/** How the answer is drawn: with noise, by chance, or not at all. @param {any} experiment */
export function drawOf({ policy, policy_lines }) {
  if (perturbs({ policy, policy_lines })) return "perturbed-text";
  const lines = linesOf(policy_lines ?? policy ?? "").join(" ");
  if (/\bnoise\b/.test(lines)) return "noise-text";
  return /\buniform\b/.test(lines) ? "draw-text" : null;
}

/** Whether each sample is answered by weights of its own. @param {any} experiment @returns {boolean} */
export function perturbs({ policy, policy_lines }) {
  return linesOf(policy_lines ?? policy ?? "").some((line) => /^tried\s*=/.test(line));
}

/** Samples that one step sees. @param {any} experiment @returns {number} */
export function batchOf({ batch, samples }) {
  return batch ?? samples;
}

/** @param {string | string[]} lines */
function linesOf(lines) {
  return (Array.isArray(lines) ? lines : lines.split(";")).map((line) => line.trim()).filter(Boolean);
}
