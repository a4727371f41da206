// @ts-check
/**
 * Where the reader is: in the address (chapter, step, language), and the theme in the browser's own
 * storage.
 */

/** @returns {{ chapter: string | null, step: number | null, language: string | null }} */
export function readPlace() {
  const parts = new URLSearchParams(location.hash.slice(1));
  const step = Number(parts.get("step"));
  return { chapter: parts.get("chapter"), step: step > 0 ? step : null, language: parts.get("lang") };
}

/** @param {string} chapter @param {number | null} step @param {string} language */
export function writePlace(chapter, step, language) {
  const parts = new URLSearchParams({ chapter, ...(step ? { step: String(step) } : {}), lang: language });
  try {
    history.replaceState(null, "", `#${parts}`);
  } catch {
    // a page inside a sandbox has no history: then the place is not kept
  }
}

/**
 * @type {Map<string, string>} what was chosen since the page opened; all there is where storage is refused
 */
const chosen = new Map();

/** @param {string} key @returns {string | null} */
export function recall(key) {
  try {
    return chosen.get(key) ?? localStorage.getItem(`glassgrad.${key}`);
  } catch {
    return null;
  }
}

/** @param {string} key @param {string} value */
export function remember(key, value) {
  chosen.set(key, value);
  try {
    localStorage.setItem(`glassgrad.${key}`, value);
  } catch {
    // no storage: the choice lasts as long as the page
  }
}
