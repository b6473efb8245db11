// Enlarges pictures, beside the page, so that this stays quick and can end it at any time.

import { clip } from "./clipping.js";
import { project } from "./projection.js";
import { plan } from "./tiles.js";

/** @import { InferenceSession } from "./ort/ort.wasm.min.mjs" */

/**
 * @typedef {object} Model As models.json has it.
 * @property {string} name
 * @property {string} words For people.
 * @property {string} file
 * @property {number} megabytes
 * @property {number} scale
 * @property {number} halo lr pixels to each side that a pixel of the result depends on.
 * @property {number} rounds Of the consistency projection; 0 if it is not applied.
 * @property {string} licence
 * @property {string} scores
 *
 * @typedef {object} Task
 * @property {ImageData} lr
 * @property {Model} model
 * @property {number} area Pixels that a tile may read.
 * @property {string} runtime "webgpu" or "wasm", or "" for the better one that there is.
 *
 * @typedef {{ sr: ImageData, left: number, top: number, done: number, total: number }} Tile
 * @typedef {{ ort: typeof import("./ort/ort.wasm.min.mjs"), session: InferenceSession, words: string }} Opened
 */

const MAX_THREADS = 8;

/** @type {Map<string, Promise<Opened>>} */
const opened = new Map(); // by model and runtime

/** Whether there is a GPU that is none in software, which would be slower than the processor. */
async function hasGpu() {
  const adapter = await /** @type {any} */ (navigator).gpu?.requestAdapter();
  return Boolean(adapter) && !adapter.info.isFallbackAdapter;
}

/**
 * @param {Model} model
 * @param {string} runtime
 * @returns {Promise<Opened>}
 */
async function open(model, runtime) {
  const answer = await fetch(model.file);
  if (!answer.ok) throw new Error(`The model ${model.file} cannot be loaded: the server says ${answer.status}.`);
  const file = new Uint8Array(await answer.arrayBuffer());
  if (runtime === "webgpu" || (!runtime && (await hasGpu()))) {
    try {
      const ort = await import("./ort/ort.webgpu.min.mjs");
      return { ort, session: await ort.InferenceSession.create(file, { executionProviders: ["webgpu"] }), words: "the graphics card (WebGPU)" };
    } catch (error) {
      if (runtime) throw error; // else the processor can do it
    }
  }
  const ort = await import("./ort/ort.wasm.min.mjs");
  const threads = crossOriginIsolated ? Math.min(navigator.hardwareConcurrency, MAX_THREADS) : 1;
  ort.env.wasm.numThreads = threads;
  const session = await ort.InferenceSession.create(file, { executionProviders: ["wasm"] });
  return { ort, session, words: `the processor (WebAssembly, ${threads} ${threads === 1 ? "thread" : "threads"})` };
}

/** @param {Task} task */
async function run({ lr, model, area, runtime }) {
  const key = `${model.file} ${runtime}`;
  const found = opened.get(key) ?? open(model, runtime);
  opened.set(key, found);
  const { ort, session, words } = await found;
  postMessage({ words });
  const { scale, halo } = model;
  const cut = plan(lr.height, lr.width, halo, area);
  const [total, across] = [cut.rows.length * cut.columns.length, Math.min(cut.width, lr.width)];
  const down = Math.min(cut.height, lr.height);
  let done = 0;
  for (const y of cut.rows) {
    for (const x of cut.columns) {
      const tile = part(lr, x.start, y.start, across, down);
      const output = (await session.run({ lr: new ort.Tensor("float32", tile, [1, down, across, 3]) })).sr.data;
      if (model.rounds) {
        project(output, tile, down, across, scale, model.rounds);
        clip(output, down, across, scale);
      }
      const [left, top] = [x.first - x.start, y.first - y.start].map((pixels) => pixels * scale);
      const sr = kept(output, across * scale, left, top, (x.end - x.first) * scale, (y.end - y.first) * scale);
      /** @type {Tile} */
      const message = { sr, left: x.first * scale, top: y.first * scale, done: ++done, total };
      postMessage(message, { transfer: [sr.data.buffer] });
    }
  }
}

/**
 * A part of a picture as RGB values in [0, 1], `(height, width, 3)`.
 *
 * @param {ImageData} image
 * @param {number} left
 * @param {number} top
 * @param {number} width
 * @param {number} height
 */
function part(image, left, top, width, height) {
  const values = new Float32Array(width * height * 3);
  let to = 0;
  for (let y = top; y < top + height; y++) {
    for (let from = 4 * (y * image.width + left), x = 0; x < width; x++, from += 4) {
      for (let c = 0; c < 3; c++) values[to++] = image.data[from + c] / 255;
    }
  }
  return values;
}

/**
 * The pixels of a part of RGB values, rounded half up.
 *
 * @param {Float32Array} values
 * @param {number} across Pixels of a row of them.
 * @param {number} left
 * @param {number} top
 * @param {number} width
 * @param {number} height
 */
function kept(values, across, left, top, width, height) {
  const image = new ImageData(width, height);
  let to = 0;
  for (let y = top; y < top + height; y++) {
    for (let from = 3 * (y * across + left), x = 0; x < width; x++, from += 3, to += 4) {
      for (let c = 0; c < 3; c++) image.data[to + c] = Math.floor(Math.min(Math.max(255 * values[from + c], 0), 255) + 0.5);
      image.data[to + 3] = 255;
    }
  }
  return image;
}

addEventListener("message", async ({ data }) => {
  try {
    await run(data);
    postMessage({ ended: true });
  } catch (error) {
    postMessage({ failed: error instanceof Error ? error.message : String(error) });
  }
});
