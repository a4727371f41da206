// @ts-check
/** What the panel says about one number: its formula, its numbers, what it reads, the samples behind it. */

import { chain } from "./chain.js";
import { curve } from "./curve.js";
import { h } from "./element.js";
import { code, formula, readable } from "./formula.js";
import { meaningOf, pytorchOf } from "./legend.js";
import { readersOf } from "./moment.js";
import { fixed, full, short, whole } from "./number.js";
import { newOf, numberOf, parameter, updatedBy } from "./parameter.js";
import { placeOf } from "./map.js";
import { question, sumText, worked } from "./question.js";
import { samples } from "./samples.js";
import { inputOf, targetOf } from "./value.js";
import { language, pick, prose, say } from "./words.js";

const KINDS = { equation: equationNote, parameter: parameterNote, input: inputNote, question: questionNote };
const MOST = 12; // links to what reads a number

/** The note for a target such as "equation:dW1_4_x1". @param {any} now @param {string} target */
export function note(now, target) {
  const [kind, name] = split(target);
  return KINDS[/** @type {keyof typeof KINDS} */ (kind)](now, name);
}

/** The short name of a target, for the trail. @param {any} watch @param {string} target */
export function label(watch, target) {
  const [kind, name] = split(target);
  return kind === "question" ? question(watch, name.split(",").map(Number)) : name;
}

/** @param {string} target */
function split(target) {
  const at = target.indexOf(":");
  return [target.slice(0, at), target.slice(at + 1)];
}

/** @param {any} now @param {string} name */
function equationNote(now, name) {
  const equation = now.equations.get(name);
  if (!equation) return [h("p", null, say("not-at-step", { name, step: now.step.step }))];
  return [
    meaning(
      now.watch,
      name,
      say(`level-${levelOf(equation)}`, {
        step: now.step.step,
        sample: (now.sample?.index ?? 0) + 1,
        question: question(now.watch, now.sample?.inputs),
      }),
    ),
    part("formula", formula(equation.latex, `${name} = ${equation.symbolic}`)),
    part("with-numbers", code(readable(equation.substituted))),
    result(equation.value),
    checked(equation),
    equation.section === "gradient" ? chain(now, equation) : null,
    reads(now, equation),
    equation.samples?.length ? h("section", null, samples(now.watch, equation.samples)) : null,
    links(
      "read-by",
      now,
      readersOf(now, name).map((reader) => `equation:${reader.name}`),
    ),
  ];
}

/** What an equation has one value for. @param {any} equation */
function levelOf({ name, section, level }) {
  if (section !== "update") return level;
  return updatedBy(name) ? "new" : level === "step" ? "all" : level;
}

/** @param {any} now @param {any} equation */
function reads(now, equation) {
  const others = equation.reads.filter(
    (/** @type {string} */ name) => name !== equation.name || parameter(name),
  );
  return links(
    "reads",
    now,
    others.map((/** @type {string} */ name) => targetOf(now, name) ?? `given:${name}`),
  );
}

/** @param {string} title @param {any} now @param {string[]} targets */
function links(title, now, targets) {
  if (!targets.length) return null;
  const rest = targets.length - MOST;
  return part(
    title,
    h(
      "ul",
      { class: "links" },
      targets
        .slice(0, title === "reads" ? undefined : MOST)
        .map((target) => h("li", null, link(now, target))),
    ),
    title !== "reads" && rest > 0 && h("p", { class: "aside" }, say("more-rows", { count: rest })),
  );
}

/** @param {any} now @param {string} target */
function link(now, target) {
  const [kind, name] = split(target);
  const which = parameter(name);
  const number =
    kind === "parameter" && which
      ? numberOf(now.step.parameters, which)
      : kind !== "equation"
        ? inputOf(now, name)
        : now.equations.get(name)?.value;
  const shown = [
    h("code", null, name),
    h("span", null, number === undefined ? "" : kind === "equation" || which ? fixed(number) : short(number)),
  ];
  if (kind === "given") return h("span", { class: "link given-number" }, shown);
  return h("button", { type: "button", class: "link", "data-push": target }, shown);
}

/** @param {any} now @param {string} name */
function parameterNote(now, name) {
  const which = /** @type {any} */ (parameter(name));
  const path = now.watch.steps
    .filter((/** @type {any} */ step) => step.parameters)
    .map((/** @type {any} */ step) => ({ step: step.step, value: numberOf(step.parameters, which) }));
  const drawn = curve(path, { name, label: say("path"), narrow: true, height: 160 });
  drawn.update(now);
  return [
    meaning(now.watch, name, say("level-old", { step: now.step.step })),
    result(numberOf(now.step.parameters, which)),
    links(
      "what-moves-it",
      now,
      [which.gradient, newOf(now, which)?.name]
        .filter((other) => now.equations.has(other))
        .map((other) => `equation:${other}`),
    ),
    h("section", null, drawn.element),
    h(
      "p",
      { class: "aside" },
      say("after-training"),
      " ",
      h("code", null, fixed(numberOf(now.watch.final.parameters, which))),
    ),
    links(
      "read-by",
      now,
      readersOf(now, name)
        .filter((reader) => reader.section !== "update")
        .map((reader) => `equation:${reader.name}`),
    ),
  ];
}

/** @param {any} now @param {string} name */
function inputNote(now, name) {
  return [
    meaning(
      now.watch,
      name,
      say("level-sample", {
        sample: (now.sample?.index ?? 0) + 1,
        question: question(now.watch, now.sample?.inputs),
      }),
    ),
    result(inputOf(now, name)),
    links(
      "read-by",
      now,
      readersOf(now, name).map((reader) => `equation:${reader.name}`),
    ),
  ];
}

/** @param {any} now @param {string} text the inputs, 5,3 */
function questionNote({ watch }, text) {
  const inputs = text.split(",").map(Number);
  const parameters = watch.final.parameters;
  const layers = worked(watch, parameters, inputs);
  const place = placeOf(watch, inputs);
  const test = watch.tests.find((/** @type {any} */ one) => String(one.inputs) === text);
  const given = test ? test.answer : place?.answer;
  const truth = test ? test.truth : place?.truth;
  return [
    h("p", { class: "meaning" }, say("worked-out", { steps: whole(watch.steps.length) })),
    layers?.map((layer, index) =>
      workedLayer(watch, parameters, index + 1, index ? layers[index - 1].a : inputs, layer),
    ),
    part(
      "result",
      h("p", { class: "full" }, full(given)),
      h(
        "p",
        { class: "aside" },
        say("truth-and-error", {
          truth: short(truth),
          error: given === null ? fixed(null) : fixed(given - truth),
        }),
      ),
    ),
    slopesOf(watch, text),
  ];
}

/**
 * @param {any} watch
 * @param {any} parameters
 * @param {number} layer
 * @param {number[]} values
 * @param {{ z: number[], a: number[] }} numbers
 */
function workedLayer(watch, parameters, layer, values, numbers) {
  const last = layer === watch.experiment.network.length - 1;
  const name = last ? watch.experiment.output_activation : watch.experiment.activation;
  const unitName = (/** @type {string} */ letter, /** @type {number} */ unit) =>
    last && numbers.z.length === 1 ? `${letter}${layer}` : `${letter}${layer}_${unit}`;
  const units = numbers.z
    .slice(0, 16)
    .map((z, index) =>
      h(
        "li",
        { class: !last && numbers.a[index] === 0 ? "silent" : null },
        code(
          readable(
            `${unitName("z", index + 1)} = ${sumText(parameters, layer, index + 1, values)} = ${fixed(z)}`,
          ),
        ),
        name &&
          name !== "linear" &&
          h(
            "code",
            { class: "then" },
            `${last ? (numbers.z.length === 1 ? "o" : `o${index + 1}`) : unitName("a", index + 1)} = ${name}(${fixed(z)}) = ${fixed(numbers.a[index])}`,
          ),
      ),
    );
  return h(
    "section",
    null,
    h("h4", null, say(last ? "output-layer" : "hidden-layer", { layer })),
    h("ul", { class: "units" }, units),
  );
}

/** @param {any} watch @param {string} text */
function slopesOf(watch, text) {
  const found = watch.slopes?.find((/** @type {any} */ one) => String(one.inputs) === text);
  if (!found) return null;
  const terms = found.slopes.map(
    (/** @type {number} */ slope, /** @type {number} */ index) => `${fixed(slope)} · x${index + 1}`,
  );
  return part("around-here", code(`a = ${[...terms, fixed(found.intercept)].join(" + ")}`));
}

/** @param {any} watch @param {string} name @param {string} level */
function meaning(watch, name, level) {
  const row = meaningOf(watch, name);
  const line = row && pytorchOf(row, name);
  return [
    h("p", { class: "meaning" }, row && pick(row.meaning) + (language() === "zh" ? "\u3002" : ". "), level),
    line && h("p", { class: "aside" }, "PyTorch: ", h("code", null, line)),
  ];
}

/** @param {number | null | undefined} number */
function result(number) {
  return part(
    "result",
    h("p", { class: "full" }, number === null || number === undefined ? say("not-finite") : full(number)),
  );
}

/** @param {any} equation */
function checked(equation) {
  if (equation.checked === undefined) return null;
  const text = equation.checked
    ? prose("checked-number", {
        difference: h("code", null, fixed(equation.difference ?? 0, 1).replace(/^0\.0$/, "0")),
      })
    : say("unchecked-number");
  return h("p", { class: `checked${equation.checked ? "" : " open"}` }, text);
}

/** @param {string} title @param {...any} children */
function part(title, ...children) {
  return h("section", null, h("h4", null, say(title)), children);
}
