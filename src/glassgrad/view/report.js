// @ts-check
/** The report's data, as html.py put it into the page: plain JSON, or compressed. */

/** @returns {Promise<any>} */
export async function readReport() {
  const element = /** @type {HTMLElement} */ (document.getElementById("report"));
  const text = element.textContent ?? "";
  element.remove();
  return JSON.parse(element.dataset.form === "gzip" ? await unpack(text) : text);
}

/** @param {string} text gzip in base64 */
async function unpack(text) {
  const bytes = Uint8Array.from(atob(text), (letter) => letter.charCodeAt(0));
  const stream = new Blob([bytes]).stream().pipeThrough(new DecompressionStream("gzip"));
  return new Response(stream).text();
}
