// What is enlarged, and what came of it.

import { byId, press } from "../../web/dom.js";
import { fitTo } from "./comparison.js";
import { ask, giveUp } from "./requests.js";
import { complain, say } from "./status.js";

/**
 * @import { Model } from "./requests.js"
 *
 * @typedef {object} Photo
 * @property {File} file LR.
 * @property {string} name
 * @property {string} hr The address of the reference, or "".
 *
 * @typedef {{ file: Blob, query: Record<string, string> }} Result
 */

/** @type {Map<string, Model>} */
export const models = new Map();

const state = {
  megabytes: 0, // that a picture may have
  photo: /** @type {Photo | null} */ (null),
  result: /** @type {Result | null} */ (null), // of the last answer
};

/** @param {number} megabytes That a picture may have. */
export function limit(megabytes) {
  state.megabytes = megabytes;
}

/** @type {Map<Element, string>} */
const addresses = new Map();

/**
 * The address of a file, in place of that of the one before.
 *
 * @param {Element} element That it is for.
 * @param {Blob} file
 */
function addressOf(element, file) {
  URL.revokeObjectURL(addresses.get(element) ?? "");
  const address = URL.createObjectURL(file);
  addresses.set(element, address);
  return address;
}

/**
 * @param {HTMLImageElement} image
 * @param {Blob | string} file Or its address.
 */
function show(image, file) {
  image.src = file instanceof Blob ? addressOf(image, file) : file;
  return image.decode();
}

/**
 * @param {File} file
 * @param {string} name
 * @param {string} hr The address of the reference, if there is one.
 */
export async function open(file, name, hr = "") {
  state.photo = { file, name, hr };
  byId("left", HTMLSelectElement).value = "lr";
  byId("left-choice").hidden = !hr;
  byId("result").hidden = true;
  await Promise.all([showLeft(), enlarge()]);
}

/** Shows what is left of the divider. */
export async function showLeft() {
  if (!state.photo) return;
  const left = byId("left", HTMLSelectElement).value;
  const before = byId("before", HTMLImageElement);
  before.alt = left === "hr" ? "HR (reference)" : "LR";
  const wanted = left === "hr" ? state.photo.hr : state.photo.file;
  await show(before, wanted).catch(() => {}); // a format that the browser does not know
}

/** @returns {Record<string, string>} What is asked for. */
function wishes() {
  const [model, format, scale] = ["model", "format", "scale"].map((id) => byId(id, HTMLSelectElement).value);
  const realism = byId("realism", HTMLInputElement).value;
  return {
    ...{ model, format },
    ...(scale ? { scale } : {}),
    ...(models.get(model)?.realism && realism !== "1" ? { realism } : {}),
  };
}

export async function enlarge() {
  if (!state.photo) return;
  const { file } = state.photo;
  if (file.size > 1e6 * state.megabytes) {
    const size = (file.size / 1e6).toFixed(1);
    say(`The picture has ${size} megabytes; expected at most ${state.megabytes}.`, true);
    return;
  }
  say("Working …");
  const began = performance.now();
  const query = wishes();
  try {
    const { file: sr, model, notes } = await ask("upscale", query, file);
    const seconds = ((performance.now() - began) / 1000).toFixed(1);
    state.result = { file: sr, query: { ...query, model } };
    await showResult();
    const { naturalWidth: width, naturalHeight: height } = byId("after", HTMLImageElement);
    byId("facts").textContent = `${width}x${height} pixels, ${(sr.size / 1e6).toFixed(2)} MB, in ${seconds} s, by ${model}`;
    say(notes && `Note: ${notes}.`);
  } catch (error) {
    complain(error);
  }
}

async function showResult() {
  if (!state.result || !state.photo) return;
  const { file, query } = state.result;
  const model = models.get(query.model);
  const after = byId("after", HTMLImageElement);
  await show(after, file);
  after.alt = "Result";
  fitTo(after.naturalWidth, after.naturalHeight);
  press("shown", (button) => button.id === "show-result");
  byId("legend").hidden = true;
  const map = byId("show-map", HTMLButtonElement);
  map.disabled = !model?.error_map;
  map.title = map.disabled ? "This model has no error map: it adds no detail, or does not know how far it errs." : "";
  const download = byId("download", HTMLAnchorElement);
  download.href = addressOf(download, file);
  download.download = `${state.photo.name}-${query.model}.${query.format === "jpeg" ? "jpg" : query.format}`;
  byId("curl").textContent = command(state.photo.file.name, query);
  byId("licence").textContent = `${query.model}: ${model?.licence}. ${model?.scores}`;
}

/**
 * @param {string} name Of the picture's file.
 * @param {Record<string, string>} query
 */
function command(name, query) {
  const file = /^[\w.-]+$/.test(name) ? name : "photo.jpg";
  const address = `${location.origin}/v1/upscale?${new URLSearchParams(query)}`;
  return `curl --data-binary @${file} -o enlarged.${query.format} \\\n  "${address}"`;
}

async function showMap() {
  if (!state.result || !state.photo) return;
  say("Working …");
  try {
    const { file } = await ask("error-map", { model: state.result.query.model }, state.photo.file);
    const after = byId("after", HTMLImageElement);
    await show(after, file);
    after.alt = "Error map";
    press("shown", (button) => button.id === "show-map");
    byId("legend").hidden = false;
    say("Black is what LR determines; the brighter a pixel, the larger its expected error: detail there may be hallucinated.");
  } catch (error) {
    complain(error);
  }
}

export function listenToShown() {
  byId("show-map").addEventListener("click", showMap);
  byId("show-result").addEventListener("click", () => {
    say("");
    giveUp();
    showResult();
  });
}
