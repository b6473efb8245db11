// Enlarges a photo with an ONNX file of `srgan export`; nothing leaves the computer.
import * as ort from "./node_modules/onnxruntime-web/dist/ort.wasm.min.mjs";
import { project } from "./projection.js";

const MOST_PIXELS = 512 * 512; // a larger photo would need tiles: see src/srgan/models/tiling.py

const status = find("[role=status]", HTMLElement);
const canvas = find("canvas", HTMLCanvasElement);
const input = find("input", HTMLInputElement);
const model = new URLSearchParams(location.search).get("model") ?? "model/srgan-x4.onnx";

/**
 * Returns the element of a selector, which the page is known to have.
 *
 * @template {Element} T
 * @param {string} selector
 * @param {new () => T} kind
 * @returns {T}
 */
function find(selector, kind) {
  const element = document.querySelector(selector);
  if (!(element instanceof kind)) throw new TypeError(`The page has no ${selector}.`);
  return element;
}

/**
 * Returns the pixels of an image file as they are in the file, without colour management.
 *
 * @param {Blob} file
 */
async function read(file) {
  const bitmap = await createImageBitmap(file, { colorSpaceConversion: "none" });
  if (bitmap.width * bitmap.height > MOST_PIXELS) {
    throw new Error(`The photo has ${bitmap.width}x${bitmap.height} pixels; expected at most 512x512.`);
  }
  const context = new OffscreenCanvas(bitmap.width, bitmap.height).getContext("2d");
  if (!context) throw new Error("The browser has no room for the photo.");
  context.drawImage(bitmap, 0, 0);
  return context.getImageData(0, 0, bitmap.width, bitmap.height);
}

/**
 * Maps ImageData to enlarged ImageData: the network wants RGB in [0, 1], (1, height, width, 3).
 *
 * @param {ImageData} photo
 */
async function upscale({ data, width, height }) {
  const lr = new Float32Array(width * height * 3);
  for (let i = 0; i < width * height; i++) {
    for (let c = 0; c < 3; c++) lr[3 * i + c] = data[4 * i + c] / 255;
  }
  const { sr } = await session.run({ lr: new ort.Tensor("float32", lr, [1, height, width, 3]) });
  const [, rows, columns] = sr.dims;
  project(sr.data, lr, height, width, rows / height);
  const pixels = new ImageData(columns, rows); // which clamps what is stored in it
  for (let i = 0; i < rows * columns; i++) {
    for (let c = 0; c < 3; c++) pixels.data[4 * i + c] = 255 * sr.data[3 * i + c];
    pixels.data[4 * i + 3] = 255;
  }
  return pixels;
}

const session = await ort.InferenceSession.create(model).catch((error) => {
  status.textContent = `The model ${model} cannot be loaded: ${error.message}`;
  throw error;
});
status.textContent = "Ready.";

input.addEventListener("change", async () => {
  const [file] = input.files ?? [];
  if (!file) return;
  status.textContent = "Working…";
  try {
    const began = performance.now();
    const sr = await upscale(await read(file));
    canvas.width = sr.width;
    canvas.height = sr.height;
    canvas.getContext("2d")?.putImageData(sr, 0, 0);
    const seconds = (performance.now() - began) / 1000;
    status.textContent = `${sr.width}x${sr.height} pixels in ${seconds.toFixed(1)} s.`;
  } catch (error) {
    status.textContent = error instanceof Error ? error.message : String(error);
  }
});
