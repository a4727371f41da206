// @ts-check
/** The network and its forward pass at the slider's step. */

import { h, live, nodes } from "./element.js";
import { families } from "./equations.js";
import { perturbs } from "./experiment.js";
import { smallMap } from "./map.js";
import { equationsOf } from "./moment.js";
import { network } from "./network.js";
import { short } from "./number.js";
import { question } from "./question.js";
import { value } from "./value.js";
import { prose } from "./words.js";

/** @param {any} watch @param {boolean} narrow */
export function networkSection(watch, narrow) {
  const [drawing, map] = [network(watch, narrow), smallMap(watch)];
  const intro = live("", (now) =>
    h(
      "p",
      null,
      prose(introKey(now.sample, map), {
        question: h("b", null, question(watch, now.sample?.inputs)),
        step: now.step.step,
      }),
    ),
  );
  const figures = h(
    "div",
    { class: map && !drawing.large ? "side-by-side" : "stacked" },
    drawing.element,
    map?.element,
  );
  return { key: "network", children: [intro.element, figures], parts: [intro, drawing, map] };
}

/** @param {any} sample @param {any} map */
function introKey(sample, map) {
  if (!sample) return "network-plain";
  return map ? "network-text-map" : "network-text";
}

/** @param {any} watch */
export function forwardSection(watch) {
  const body = live("", (now) => {
    const { inputs, truth } = now.sample ?? {};
    const given = (inputs ?? []).flatMap((/** @type {number} */ input, /** @type {number} */ index) => [
      index ? ", " : "",
      h("code", null, `x${index + 1} = `),
      value(`input:x${index + 1}`, input, `x${index + 1}`, short(input)),
    ]);
    return nodes([
      h(
        "p",
        null,
        prose(now.sample ? "forward-text" : "forward-plain", {
          question: h("b", null, question(watch, inputs)),
          truth: value("input:t", truth, "t", short(truth)),
        }),
      ),
      perturbs(watch.experiment) && h("p", null, prose("forward-perturbed")),
      watch.experiment.network.length > 2 &&
        h("p", null, prose("forward-hidden", { activation: watch.experiment.activation })),
      h("p", { class: "given" }, given),
      families(equationsOf(now, "forward")),
    ]);
  });
  return { key: "forward", children: [body.element], parts: [body] };
}
