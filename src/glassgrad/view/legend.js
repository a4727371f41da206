// @ts-check
/**
 * What a name means. The legend has z1_4 under "z1_i", dW2_1_a1_3 under "dW1_1_x1 …", m_W1_1_x1 under "m".
 */

/** @typedef {{ symbol: string, meaning: any, pytorch: string, shape: any, value: any }} Row */

/** @param {any} watch @param {string} name @returns {Row | undefined} */
export function meaningOf(watch, name) {
  const names = [name, name.replace(/(_new)+$/, ""), optimizerName(name)];
  const found = names.map((one) => watch.legend?.find((/** @type {Row} */ row) => describes(row, one)));
  return found.find(Boolean);
}

/** The line of PyTorch, if it is one for this very layer. @param {Row} row @param {string} name */
export function pytorchOf({ symbol, pytorch }, name) {
  const layer = /\d+/.exec(symbol)?.[0];
  return symbol === name || !layer || layer === /\d+/.exec(name)?.[0] ? pytorch : null;
}

/** m_hat of m_hat_W1_4_x1, m of m_W1_4_x1_new. @param {string} name */
function optimizerName(name) {
  return name.replace(/_[Wb]\d+_.*$/, "");
}

/** @param {Row} row @param {string} name */
function describes({ symbol }, name) {
  return symbol.split(", ").some((one) => {
    if (one.endsWith("…")) return kind(one.replace(/\s*…$/, "")) === kind(name);
    return one === name || pattern(one).test(name);
  });
}

/** A name without its numbers. @param {string} name */
function kind(name) {
  return name.replace(/_(?:x|a\d+_)\d+/, "_input").replace(/\d+/g, "");
}

/** z1_i stands for z1_1, z1_2, … @param {string} symbol with i, j, k, l for indices */
function pattern(symbol) {
  const parts = symbol.split("_").map((part, index) => {
    const plain = part.replace(/[.*+?^${}()|[\]\\]/g, "\\$&");
    return index === 0 ? plain : plain.replace(/^([a-z]*?)[ijkl]$/, "$1\\d+");
  });
  return new RegExp(`^${parts.join("_")}$`);
}

/** (1000, 5) of [1000, 5]. @param {any} shape @returns {string} */
export function shapeText(shape) {
  return Array.isArray(shape) ? `(${shape.join(", ")}${shape.length === 1 ? "," : ""})` : String(shape ?? "");
}
