// What is asked of the service: previews at once, whole pictures one after another.

import { models, naturalFormat, wishes, wordsFor } from "./choices.js";
import { pictures, workOf } from "./pictures.js";
import { post } from "./requests.js";
import { expect } from "./sizes.js";
import { reason } from "./status.js";

/** @import { Picture, Work } from "./pictures.js" */
/** @import { Progress } from "./requests.js" */

const SIDE = 128; // of the part of a picture that a preview shows
const SUFFIXES = new Map([["jpeg", "jpg"], ["tiff", "tif"]]);

const state = { looking: new AbortController(), working: false };

/**
 * What is asked for, in words.
 *
 * @param {string} model
 * @param {Record<string, string>} query
 */
function labelOf(model, { realism, scale, format }) {
  const parts = [wordsFor(model), realism && `detail ${realism}`, scale && `${scale} times`];
  return [...parts, format && format !== "png" && format.toUpperCase()].filter(Boolean).join(", ");
}

/**
 * @param {Picture} picture
 * @returns {Promise<{ query: Record<string, string>, key: string }>}
 */
async function wanted(picture) {
  const asked = wishes();
  const query = { ...asked, format: asked.format || (await naturalFormat(picture.file)) };
  return { query, key: JSON.stringify(query) };
}

/**
 * Shows what the settings make of the middle of a picture; of a small one, of all of it.
 *
 * @param {Picture} picture
 * @param {() => void} changed
 * @throws {Error} If the service cannot read it, or does not answer.
 */
export async function look(picture, changed) {
  state.looking.abort();
  state.looking = new AbortController();
  const { signal } = state.looking;
  const { file: before, width, height } = await post("preview", { side: String(SIDE), enlarge: "false" }, picture.file, signal);
  Object.assign(picture, { width, height });
  if (Math.max(width, height) <= SIDE) {
    await start([picture], changed);
    return;
  }
  const { model, realism = "", scale = "" } = wishes();
  const query = { model, side: String(SIDE), ...(realism ? { realism } : {}), ...(scale ? { scale } : {}) };
  const { file: after, model: took, notes } = await post("preview", query, picture.file, signal);
  picture.preview = { before, after, label: labelOf(took, realism ? { realism } : {}), model: took, notes };
  picture.right = "preview";
  if (picture.state === "new" || picture.state === "failed") expect(picture, took);
  changed();
}

/**
 * Makes, one after another, what the settings ask for and is not there yet.
 *
 * @param {Picture[]} which
 * @param {() => void} changed
 */
export async function start(which, changed) {
  for (const picture of which) {
    const { key } = await wanted(picture);
    if (workOf(picture, key)) picture.right = key;
    else if (!picture.running) Object.assign(picture, { state: "waiting", said: "waits for its turn", done: 0 });
  }
  changed();
  if (state.working) return;
  state.working = true;
  for (let next = waiting(); next; next = waiting()) await enlarge(next, changed);
  state.working = false;
  changed();
}

function waiting() {
  return pictures.find((picture) => picture.state === "waiting");
}

/**
 * Gives up what runs or waits.
 *
 * @param {Picture[]} which
 */
export function cancel(which) {
  for (const picture of which) {
    if (picture.state === "waiting") settle(picture);
    picture.running?.abort();
  }
}

/** @param {Picture} picture */
function settle(picture) {
  const { state: now, said } = picture.works.length ? { state: "done", said: "done" } : { state: "new", said: "cancelled" };
  Object.assign(picture, { state: now, said, done: 0 });
}

/**
 * @param {Picture} picture
 * @param {() => void} changed
 */
async function enlarge(picture, changed) {
  const { query, key } = await wanted(picture);
  const running = new AbortController();
  Object.assign(picture, { state: "working", said: "is being enlarged", running });
  changed();
  try {
    const answer = await timed("upscale", query, picture, changed);
    const suffix = SUFFIXES.get(query.format) ?? query.format;
    const made = { ...query, model: answer.model };
    const same = picture.works.findIndex((work) => JSON.stringify(work.query) === JSON.stringify(made));
    if (same >= 0) forget(picture, same); // the model that was found had been chosen before
    picture.works.push({
      ...{ key, kind: "result", query: made, ...answer },
      ...{ label: labelOf(answer.model, query), name: `${picture.name}-${answer.model}.${suffix}` },
    });
    Object.assign(picture, { state: "done", said: "done", right: key });
  } catch (error) {
    if (reason(error)) Object.assign(picture, { state: "failed", said: reason(error) });
    else settle(picture);
  } finally {
    picture.running = null;
  }
  changed();
}

/**
 * @param {Picture} picture
 * @param {number} index Of one of its works.
 */
function forget(picture, index) {
  const [{ key }] = picture.works.splice(index, 1);
  if (picture.left === key) picture.left = "before";
}

/**
 * @param {string} what
 * @param {Record<string, string>} query
 * @param {Picture} picture
 * @param {() => void} changed
 */
async function timed(what, query, picture, changed) {
  let runs = 0; // since when, as far as the page knows
  /** @param {Progress} progress */
  const tell = ({ waits, done, left }) => {
    if (!waits) runs ||= performance.now();
    const soFar = Math.round((performance.now() - runs) / 1000); // until the first part is done
    const rest = left === null ? (soFar ? `, for ${soFar} s so far` : "") : `, about ${Math.ceil(left)} s left`;
    Object.assign(picture, { done, said: waits ? "waits for its turn" : `is being enlarged${rest}` });
    changed();
  };
  const began = performance.now();
  const { signal } = picture.running ?? new AbortController();
  const answer = await post(what, query, picture.file, signal, tell);
  return { ...answer, seconds: (performance.now() - began) / 1000 };
}

/**
 * Draws how far a result may be off, beside it.
 *
 * @param {Picture} picture
 * @param {Work} result
 * @param {() => void} changed
 * @throws {Error} If the service does not draw it.
 */
export async function drawMap(picture, result, changed) {
  const query = { model: result.model };
  const key = `map ${result.model}`;
  if (!workOf(picture, key)) {
    const { said } = picture;
    const answer = await timed("error-map", query, picture, changed);
    picture.said = said;
    picture.works.push({
      ...{ key, kind: "map", query, ...answer, model: result.model },
      ...{ label: `What is guessed: ${wordsFor(result.model)}`, name: `${picture.name}-${result.model}-guessed.png` },
    });
  }
  Object.assign(picture, { left: result.key, right: key });
  changed();
}

/**
 * What of a picture a browser can show.
 *
 * @param {Picture} picture
 * @returns {Promise<Blob>}
 */
export async function visible(picture) {
  picture.view ??= await shownAs(picture.file);
  return picture.view;
}

/**
 * What of a file a browser can show: itself, or what the service makes of its format.
 *
 * @param {Blob} file
 * @returns {Promise<Blob>}
 * @throws {Error} As `shownByService`.
 */
export async function shownAs(file) {
  const bitmap = await createImageBitmap(file).catch(() => null);
  bitmap?.close();
  return bitmap ? file : shownByService(file);
}

/**
 * A file as the service shows it: upright, in a format of every browser.
 *
 * @param {Blob} file
 * @returns {Promise<Blob>}
 * @throws {Error} If the service takes no file of that size, or does not answer.
 */
export async function shownByService(file) {
  const query = { side: "16384", enlarge: "false" };
  return (await post("preview", query, file, new AbortController().signal)).file;
}

/**
 * Whether there is a map for what a work shows.
 *
 * @param {Work | undefined} work
 */
export function hasMap(work) {
  return work?.kind === "result" && Boolean(models.get(work.model)?.error_map);
}
