// Enlarges a photo with an ONNX file of `srgan export`; nothing leaves the computer.
import * as ort from "./node_modules/onnxruntime-web/dist/ort.wasm.min.mjs";
import { project } from "./projection.js";

const MOST_PIXELS = 512 * 512; // a larger photo would need tiles: see src/srgan/tiling.py

const status = document.querySelector("[role=status]");
const canvas = document.querySelector("canvas");
const model = new URLSearchParams(location.search).get("model") ?? "model/srgan-x4.onnx";

/** Returns the pixels of an image file as they are in the file, without colour management. */
async function read(file) {
  const bitmap = await createImageBitmap(file, { colorSpaceConversion: "none" });
  if (bitmap.width * bitmap.height > MOST_PIXELS) {
    throw new Error(`The photo has ${bitmap.width}x${bitmap.height} pixels; expected at most 512x512.`);
  }
  const context = new OffscreenCanvas(bitmap.width, bitmap.height).getContext("2d");
  context.drawImage(bitmap, 0, 0);
  return context.getImageData(0, 0, bitmap.width, bitmap.height);
}

/** Maps ImageData to enlarged ImageData: the network wants RGB in [0, 1], (1, height, width, 3). */
async function upscale(session, { data, width, height }) {
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

document.querySelector("input").addEventListener("change", async ({ target }) => {
  status.textContent = "Working…";
  try {
    const began = performance.now();
    const sr = await upscale(session, await read(target.files[0]));
    canvas.width = sr.width;
    canvas.height = sr.height;
    canvas.getContext("2d").putImageData(sr, 0, 0);
    const seconds = (performance.now() - began) / 1000;
    status.textContent = `${sr.width}x${sr.height} pixels in ${seconds.toFixed(1)} s.`;
  } catch (error) {
    status.textContent = error.message;
  }
});
