// @ts-check
/** The loss (and the reward): how bad the answer was, and how that changed over all steps. */

import { curve } from "./curve.js";
import { h, live, nodes } from "./element.js";
import { families } from "./equations.js";
import { batchOf, drawOf, feedbackKind, objectiveOf, regulariserOf, rewardOf } from "./experiment.js";
import { equationsOf } from "./moment.js";
import { whole } from "./number.js";
import { prose, say } from "./words.js";

/** @param {any} watch @param {boolean} narrow */
export function objectiveSection(watch, narrow) {
  const { experiment } = watch;
  const [size, draw] = [batchOf(experiment), drawOf(experiment)];
  const formulas = { objective: objectiveOf(experiment), reward: rewardOf(experiment) };
  const regulariser = regulariserOf(experiment);
  const body = live("", (now) =>
    nodes([
      draw && h("p", null, prose(draw)),
      h("p", null, prose(`objective-${feedbackKind(experiment)}`, formulas)),
      h(
        "p",
        null,
        prose(size === 1 ? "loss-one" : "loss-mean", { samples: whole(size) }),
        regulariser && prose("loss-regulariser", { regulariser }),
      ),
      families(equationsOf(now, "objective")),
    ]),
  );
  const loss = curve(
    watch.steps.map((/** @type {any} */ step) => ({ step: step.step, value: step.loss })),
    { name: "L", label: say("loss-curve"), log: true, narrow },
  );
  const gain =
    experiment.reward &&
    curve(
      watch.steps.map((/** @type {any} */ step) => ({ step: step.step, value: step.reward })),
      { name: "r", label: say("reward-curve"), narrow },
    );
  const output = outputCurve(watch, narrow);
  const curves = [loss, gain, output].filter(Boolean);
  return {
    key: "objective",
    children: [body.element, curves.map((one) => one.element)],
    parts: [body, ...curves],
  };
}

/**
 * Where every step asks the same one question: how its answer moves.
 * @param {any} watch
 * @param {boolean} narrow
 */
function outputCurve(watch, narrow) {
  const { samples, fresh } = watch.experiment;
  if (samples !== 1 || fresh || watch.experiment.network.at(-1) !== 1) return null;
  const points = watch.steps.map((/** @type {any} */ step) => ({ step: step.step, value: step.output }));
  return curve(points, { name: "o", label: say("output-curve"), narrow, aim: watch.sample?.truth });
}
