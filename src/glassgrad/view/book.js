// @ts-check
/** The chapters of a report, and how each is drawn. */

import { watchChapter } from "./chapter.js";
import { claimsChapter } from "./claims.js";
import { feedbackChapter } from "./feedback.js";
import { labelsChapter } from "./labels.js";
import { rewardChapter } from "./reward.js";
import { startChapter } from "./start.js";
import { pick, say } from "./words.js";

/**
 * Every chapter with its number; a start if there are several.
 * @param {any} report
 * @returns {any[]}
 */
export function chaptersOf(report) {
  const { feedback, labels, reward, claims } = report;
  const there = { feedback, labels: labels?.rows, reward: reward?.told, claims };
  const more = Object.entries(there)
    .filter(([, rows]) => rows?.length)
    .map(([id]) => id)
    .map((id) => ({ id, titleOf: () => say(`${id}-title`) }));
  const all = [...watchesOf(report.watches), ...more].map((chapter, index) => ({
    ...chapter,
    number: index + 1,
  }));
  return all.length > 1 ? [{ id: "start", number: 0, titleOf: () => say("start") }, ...all] : all;
}

/** An experiment that comes twice is told apart by its seed. @param {any[]} watches */
function watchesOf(watches) {
  const names = watches.map((watch) => watch.experiment.name);
  return watches.map((watch, index) => {
    const place = names.slice(0, index + 1).filter((name) => name === names[index]).length;
    const twice = names.filter((name) => name === names[index]).length > 1;
    const { name, title, seed } = watch.experiment;
    return {
      id: place > 1 ? `${name}-${place}` : name,
      watch,
      titleOf: () => capital(pick(title ?? name)) + (twice ? say("with-seed", { seed }) : ""),
    };
  });
}

/** @param {string} title */
function capital(title) {
  return title.charAt(0).toUpperCase() + title.slice(1);
}

/** @param {any[]} chapters @param {string | null} id */
export function find(chapters, id) {
  return chapters.find((chapter) => chapter.id === id) ?? chapters[0];
}

/**
 * @param {any} report
 * @param {any[]} chapters
 * @param {any} current
 * @param {number} index
 * @param {boolean} narrow
 * @param {(index: number) => void} go
 */
export function drawChapter(report, chapters, current, index, narrow, go) {
  if (current.watch) return watchChapter(current, index, narrow, go);
  return { element: stillChapter(report, chapters, current, narrow), sections: [], update: () => {} };
}

/**
 * A chapter without a slider.
 * @param {any} report
 * @param {any[]} chapters
 * @param {any} current
 * @param {boolean} narrow
 */
function stillChapter(report, chapters, current, narrow) {
  const chapterOf = (/** @type {string} */ name) =>
    chapters.find((chapter) => chapter.watch?.experiment.name === name)?.id ?? null;
  if (current.id === "feedback") return feedbackChapter(current, report.feedback, chapterOf);
  if (current.id === "labels") return labelsChapter(current, report.labels, narrow, chapterOf);
  if (current.id === "reward") return rewardChapter(current, report.reward, narrow, chapterOf);
  if (current.id === "claims") return claimsChapter(current, report.claims);
  return startChapter(chapters.slice(1));
}
