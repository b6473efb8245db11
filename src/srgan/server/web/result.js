// What is enlarged, and what came of it.

import { byId, press } from "../../web/dom.js";
import { fitTo } from "./comparison.js";
import { ask, giveUp, request } from "./requests.js";
import { addressOf, show } from "./shown.js";
import { complain, say } from "./status.js";

/**
 * @import { Answer, Model } from "./requests.js"
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

const PATIENCE = 400; // milliseconds after a change, in which another may follow

const state = {
  megabytes: 0, // that a picture may have
  photo: /** @type {Photo | null} */ (null),
  result: /** @type {Result | null} */ (null), // of the last answer
};

/** @param {number} megabytes That a picture may have. */
export function limit(megabytes) {
  state.megabytes = megabytes;
}

/**
 * @param {File} file
 * @param {string} name
 * @param {string} hr The address of the reference, if there is one.
 */
export async function open(file, name, hr = "") {
  await Promise.all([begin(file, name, hr), enlarge()]);
}

/**
 * @param {File} file
 * @param {string} name
 * @param {string} hr
 */
function begin(file, name, hr) {
  state.photo = { file, name, hr };
  byId("left", HTMLSelectElement).value = "lr";
  byId("left-choice").hidden = !hr;
  byId("result").hidden = true;
  return showLeft();
}

/** Shows what is left of the divider. */
export async function showLeft() {
  if (!state.photo) return;
  const left = byId("left", HTMLSelectElement).value;
  const before = byId("before", HTMLImageElement);
  before.alt = left === "hr" ? "HR (reference)" : "LR";
  const wanted = left === "hr" ? state.photo.hr : state.photo.file;
  try {
    await show(before, wanted);
  } catch {
    // A format that the browser does not know; if the service does not either, it says so itself.
    const asked = { method: "POST", body: state.photo.file };
    const known = await request("v1/preview", asked).then((answer) => answer.blob(), () => null);
    if (known) await show(before, known);
  }
}

/** @returns {Record<string, string>} What is asked for. */
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
 * Why the service would not take a file, or "".
 *
 * @param {Blob} file
 */
export function tooLarge({ size }) {
  if (size <= 1e6 * state.megabytes) return "";
  return `The picture has ${(size / 1e6).toFixed(1)} megabytes; expected at most ${state.megabytes}.`;
}

let waiting = 0;

/** Enlarges the picture once nothing more is changed. */
export function enlargeSoon() {
  clearTimeout(waiting);
  waiting = setTimeout(enlarge, PATIENCE);
}

export async function enlarge() {
  if (!state.photo) return;
  const { file } = state.photo;
  if (tooLarge(file)) {
    say(tooLarge(file), true);
    return;
  }
  say("Working …");
  const began = performance.now();
  const query = wishes();
  try {
    const answer = await ask("upscale", query, file);
    const seconds = ((performance.now() - began) / 1000).toFixed(1);
    await take(answer, query, `, in ${seconds} s`);
  } catch (error) {
    complain(error);
  }
}

/**
 * Shows what came of the picture.
 *
 * @param {Answer} answer
 * @param {Record<string, string>} query That was asked.
 * @param {string} time That it took, as a part of a sentence.
 */
async function take({ file, model, notes }, query, time) {
  state.result = { file, query: { ...query, model } };
  await showResult();
  const { naturalWidth: width, naturalHeight: height } = byId("after", HTMLImageElement);
  byId("facts").textContent = `${width}x${height} pixels, ${(file.size / 1e6).toFixed(2)} MB${time}, by ${model}`;
  say(notes && `Note: ${notes}.`);
}

/**
 * Shows a picture that was enlarged before.
 *
 * @param {File} file
 * @param {Answer} answer
 * @param {Record<string, string>} query
 */
export async function openResult(file, answer, query) {
  await begin(file, nameOf(file), "");
  await take(answer, query, "");
}

/** @param {File} file */
export function nameOf(file) {
  return file.name.replace(/\.[^.]*$/, "") || "picture";
}

/**
 * @param {string} name
 * @param {Record<string, string>} query
 */
export function resultName(name, { model, format }) {
  return `${name}-${model}.${format === "jpeg" ? "jpg" : format}`;
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
  offerDownload(file, resultName(state.photo.name, query), "Save the result");
  byId("curl").textContent = command(state.photo.file.name, query);
  byId("licence").textContent = `${query.model}: ${model?.licence}. ${model?.scores}`;
}

/**
 * @param {Blob} file What is shown.
 * @param {string} name
 * @param {string} text
 */
function offerDownload(file, name, text) {
  const download = byId("download", HTMLAnchorElement);
  download.href = addressOf(download, file);
  download.download = name;
  download.textContent = text;
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
    offerDownload(file, `${state.photo.name}-error-map.png`, "Save the error map");
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
