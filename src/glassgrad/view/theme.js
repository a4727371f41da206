// @ts-check
/** Light or dark: what the reader chose, else what the system says. */

import { recall, remember } from "./place.js";

const DARK = matchMedia("(prefers-color-scheme: dark)");

export function theme() {
  return (recall("theme") ?? (DARK.matches ? "dark" : "light")) === "dark" ? "dark" : "light";
}

export function paint() {
  document.documentElement.dataset.theme = theme();
}

/** @param {string} chosen */
export function chooseTheme(chosen) {
  remember("theme", chosen);
  paint();
}

/** @param {() => void} redraw */
export function whenSystemChanges(redraw) {
  DARK.addEventListener("change", () => {
    paint();
    redraw();
  });
}
