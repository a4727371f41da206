// @ts-check
/** The backward pass of the chosen sample, then the gradient: the mean over the samples. */

import { h, live, nodes } from "./element.js";
import { families } from "./equations.js";
import { batchOf, feedbackKind, perturbs } from "./experiment.js";
import { formula } from "./formula.js";
import { graph } from "./graph.js";
import { equationsOf } from "./moment.js";
import { largest, sign, whole } from "./number.js";
import { inputName, parameter, parameterName, sizesOf } from "./parameter.js";
import { value } from "./value.js";
import { prose, say } from "./words.js";

const MOST = 16;

/** @param {any} watch */
export function backwardSection(watch) {
  const { network, reward } = watch.experiment;
  const size = batchOf(watch.experiment);
  const chain = live("", (now) => families(equationsOf(now, "backward")));
  const means = live("", (now) =>
    nodes([
      exampleOf(now),
      network.slice(1).map((/** @type {number} */ _, /** @type {number} */ index) => matrix(now, index + 1)),
      families(equationsOf(now, "gradient").filter(({ name }) => !/^d[WB]\d/.test(name))),
    ]),
  );
  const cut = reward ? h("p", null, prose(`graph-${feedbackKind(watch.experiment)}`)) : null;
  return {
    key: "backward",
    parts: [chain, means],
    children: [
      h("p", null, prose(perturbs(watch.experiment) ? "backward-perturbed" : "backward-text")),
      chain.element,
      watch.graph && [
        h("h3", null, say("graph")),
        h("p", null, prose("graph-text", { step: watch.shown[0] })),
        cut,
        graph(watch.graph),
      ],
      h("h3", null, say("gradient")),
      h("p", null, prose(size === 1 ? "gradient-one" : "gradient-mean", { samples: whole(size) })),
      means.element,
    ],
  };
}

/** The rule for the weight with the largest gradient. @param {any} now */
function exampleOf(now) {
  const gradients = equationsOf(now, "gradient");
  const most = gradients.reduce(
    (best, equation) => (Math.abs(equation.value ?? 0) > Math.abs(best?.value ?? -1) ? equation : best),
    gradients[0],
  );
  if (!most) return null;
  return h(
    "div",
    { class: "rule" },
    formula(most.latex, `${most.name} = ${most.symbolic}`),
    h("span", { class: "aside" }, say("rule-of", { name: most.name })),
  );
}

/** A layer's gradients as a table, units by inputs. @param {any} now @param {number} layer */
function matrix(now, layer) {
  const network = sizesOf(now.watch.experiment);
  const [units, inputs] = [Math.min(network[layer], MOST), Math.min(network[layer - 1], MOST)];
  const columns = [...Array.from({ length: inputs }, (_, index) => index + 1), null];
  const rows = Array.from({ length: units }, (_, index) => index + 1);
  const equation = (/** @type {number} */ unit, /** @type {number | null} */ input) =>
    now.equations.get(parameter(parameterName(layer, unit, input))?.gradient);
  const most = largest(rows.flatMap((unit) => columns.map((input) => equation(unit, input)?.value)));
  const head = h(
    "tr",
    null,
    h("td"),
    columns.map((input) => h("th", { scope: "col" }, input === null ? say("bias") : inputName(layer, input))),
  );
  const body = rows.map((unit) =>
    h(
      "tr",
      null,
      h("th", { scope: "row" }, say("unit-number", { unit })),
      columns.map((input) => cell(equation(unit, input), most)),
    ),
  );
  const cut = network[layer] > MOST || network[layer - 1] > MOST;
  return h(
    "figure",
    { class: "scroll" },
    h(
      "table",
      { class: "matrix" },
      h(
        "caption",
        null,
        say(layer === network.length - 1 ? "gradients-output" : "gradients-hidden", { layer }),
      ),
      h("thead", null, head),
      h("tbody", null, body),
    ),
    cut && h("figcaption", null, say("first-units", { most: MOST })),
  );
}

/** @param {any} equation @param {number} most */
function cell(equation, most) {
  if (!equation) return h("td", null, "·");
  return h(
    "td",
    {
      class: sign(equation.value),
      style: `--strength: ${(Math.abs(equation.value ?? 0) / most).toFixed(3)}`,
    },
    value(`equation:${equation.name}`, equation.value, equation.name),
  );
}
