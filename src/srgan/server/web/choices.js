// What may be chosen: models in people's words, and what follows from a choice.

import { byId, make } from "../../web/dom.js";

/** @import { Limits, Model, Offer } from "./requests.js" */

/** @type {Map<string, Model>} */
export const models = new Map();

/** @type {Record<string, string>} */
const WORDS = {
  "srgan-photo-x4": "Photo, from a phone or the web",
  "srgan-x4": "Clean picture",
  "srgan-x2": "Clean picture, 2 times",
  "srgan-fast-x4": "Clean picture, fast",
  "srgan-psnr-x4": "Clean picture, nothing invented",
  "srgan-psnr-x2": "Clean picture, 2 times, nothing invented",
  "srgan-photo-psnr-x4": "Photo, nothing invented",
  "srgan-fast-psnr-x4": "Clean picture, fast, nothing invented",
};

const HIDDEN = Object.keys(WORDS).filter((name) => name.includes("psnr")); // realism 0 is the same

/** @type {Limits} */
export const limits = { megabytes: Infinity, megapixels: Infinity }; // until the service has told them

/** @param {string} name Of a model. */
export function wordsFor(name) {
  return WORDS[name] ?? name;
}

/** @param {Offer} offered */
export function showOffer({ models: all, auto, reads, formats, limits: most }) {
  Object.assign(limits, most);
  byId("most").textContent = `${reads}, of at most ${most.megabytes} MB each`;
  const select = byId("model", HTMLSelectElement);
  const chosen = select.value;
  select.replaceChildren(); // a second time after a token was asked for
  if (auto) select.append(make("option", { value: "" }, "Find out for each picture"));
  for (const model of all) models.set(model.name, model);
  const order = Object.keys(WORDS);
  const ranked = [...all].sort((a, b) => order.indexOf(a.name) - order.indexOf(b.name));
  for (const { name, scale } of auto ? ranked.filter(({ name: one }) => !HIDDEN.includes(one)) : all) {
    select.append(make("option", { value: name }, WORDS[name] ?? `${name} (${scale} times)`));
  }
  if (models.has(chosen)) select.value = chosen;
  for (const option of byId("format", HTMLSelectElement).options) {
    option.hidden = option.value !== "" && !formats.includes(option.value);
  }
  showChoice();
}

/** Tells what follows from the settings. */
export function showChoice() {
  const model = models.get(byId("model", HTMLSelectElement).value);
  byId("realism-choice").hidden = !model?.realism;
  byId("realism-value", HTMLOutputElement).value = Number(byId("realism", HTMLInputElement).value).toFixed(2);
  byId("promise").textContent = !model
    ? "A picture with JPEG artifacts, noise or blur gets the model that takes them away, any other one that keeps to it."
    : model.consistency_rounds
    ? "Scaled down again, the result gives the picture back."
    : "JPEG's blocks and some of the noise are taken away, so the result is not the picture when scaled down again.";
}

/**
 * What is asked for.
 *
 * @returns {Record<string, string>}
 */
export function wishes() {
  const [model, format, scale] = ["model", "format", "scale"].map((id) => byId(id, HTMLSelectElement).value);
  const realism = byId("realism", HTMLInputElement).value;
  return {
    ...{ model, format },
    ...(scale ? { scale } : {}),
    ...(models.get(model)?.realism && realism !== "1" ? { realism } : {}),
  };
}

/**
 * The format that keeps what a picture has, where none is chosen.
 *
 * @param {Blob} file
 */
export async function naturalFormat(file) {
  const head = new TextDecoder("latin1").decode(await file.slice(0, 4096).arrayBuffer());
  const moves = head.startsWith("GIF8") || head.includes("acTL") || head.slice(4, 12) === "ftypavis" || (head.startsWith("RIFF") && head.includes("ANIM"));
  return moves ? "webp" : "png";
}

/**
 * How large a result is, and what to do if the service does not make it.
 *
 * @param {number} width Of the picture.
 * @param {number} height
 * @param {string} name Of the model that makes it.
 * @param {string} scale That is asked for, or "".
 * @returns {{ size: string, problem: string }}
 */
export function foresee(width, height, name, scale) {
  const model = models.get(name);
  const own = model?.scale ?? 4;
  const times = Number(scale) || own;
  const made = (width * height * own ** (2 * (times > own ? 2 : 1))) / 1e6;
  const size = `${width}x${height} → ${width * times}x${height * times} pixels`;
  if (made <= limits.megapixels) return { size, problem: "" };
  const offered = [...byId("model", HTMLSelectElement).options].map(({ value }) => models.get(value));
  const smaller = offered.find(
    (other) => other && other.scale < own && (width * height * other.scale ** 2) / 1e6 <= limits.megapixels,
  );
  const share = Math.sqrt(limits.megapixels / made);
  const advice = smaller
    ? `choose “${wordsFor(smaller.name)}”, which makes ${width * smaller.scale}x${height * smaller.scale}`
    : `scale it down to ${Math.floor(width * share)}x${Math.floor(height * share)} first`;
  return { size, problem: `Too large: ${Math.round(made)} megapixels, of at most ${limits.megapixels} here; ${advice}.` };
}
