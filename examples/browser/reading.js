// Pictures from files, and what is too large for a browser.

/** @import { Model } from "./worker.js" */

const MAX_MEGAPIXELS = 64; // of a result: 256 MB, and as much again to save it
const ANYWHERE = 16.7; // that every browser's canvas has

/**
 * Has an image element show a file.
 *
 * @param {HTMLImageElement} image
 * @param {File} file
 * @throws {Error} If it is no picture that the browser knows.
 */
export async function open(image, file) {
  URL.revokeObjectURL(image.src);
  image.src = URL.createObjectURL(file);
  await image.decode().catch(() => refuse(file));
}

/**
 * Decodes all of a file, of which an image element shows what there is.
 *
 * @param {File} file
 * @throws {Error} If it is damaged.
 */
export async function check(file) {
  const bitmap = await createImageBitmap(file).catch(() => refuse(file));
  bitmap.close();
}

/**
 * @param {File} file
 * @returns {never}
 */
function refuse(file) {
  const advice = "It opens JPEG, PNG, WebP, GIF and AVIF files; save the picture as one of these.";
  throw new Error(`${file.name} is not a picture that this browser opens, or is damaged. ${advice}`);
}

/**
 * Makes a canvas hold what becomes of a picture, for now as the browser enlarges it.
 *
 * @param {HTMLCanvasElement} canvas
 * @param {HTMLImageElement} image
 * @param {Model} model
 * @param {Model[]} models That may be taken instead.
 * @throws {Error} If it is too large.
 */
export function prepare(canvas, image, model, models) {
  const { naturalWidth: width, naturalHeight: height } = image;
  /** @param {Model} one */
  const made = ({ scale }) => (width * height * scale ** 2) / 1e6;
  const fits = made(model) <= MAX_MEGAPIXELS && draw(canvas, image, model.scale);
  if (fits) return;
  const most = made(model) > MAX_MEGAPIXELS ? MAX_MEGAPIXELS : ANYWHERE;
  const smaller = models.find((other) => other.scale < model.scale && made(other) <= most);
  const share = Math.min(Math.sqrt(most / made(model)), 1);
  const less = `Scale it down to ${Math.floor(width * share)}x${Math.floor(height * share)} pixels first`;
  const or = smaller ? `, or choose “${smaller.words}”, which makes ${width * smaller.scale}x${height * smaller.scale}` : "";
  throw new Error(
    `The picture has ${width}x${height} pixels; ${model.scale} times as wide and high, it would have ` +
      `${Math.round(made(model))} megapixels, of at most ${most} in this browser. ${less}${or}.`,
  );
}

/**
 * @param {HTMLCanvasElement} canvas
 * @param {HTMLImageElement} image
 * @param {number} scale
 * @returns {boolean} Whether the browser has room for it.
 */
function draw(canvas, image, scale) {
  canvas.width = image.naturalWidth * scale;
  canvas.height = image.naturalHeight * scale;
  const context = contextOf(canvas);
  context.fillStyle = "#fff"; // behind what is transparent
  context.fillRect(0, 0, canvas.width, canvas.height);
  if (!context.getImageData(canvas.width - 1, canvas.height - 1, 1, 1).data[3]) return false; // as Safari tells it
  context.imageSmoothingQuality = "high";
  context.drawImage(image, 0, 0, canvas.width, canvas.height);
  return true;
}

/**
 * The pixels of a picture, upright, in sRGB and on white.
 *
 * @param {HTMLImageElement} image
 */
export function pixels(image) {
  const canvas = document.createElement("canvas");
  draw(canvas, image, 1);
  return contextOf(canvas).getImageData(0, 0, canvas.width, canvas.height);
}

/**
 * @param {HTMLCanvasElement} canvas
 * @throws {Error} If there is no memory for one.
 */
export function contextOf(canvas) {
  const context = canvas.getContext("2d", { willReadFrequently: true }); // no GPU is needed for it
  if (!context) throw new Error("The browser has not enough memory for that. Close other pages, or take a smaller picture.");
  return context;
}
