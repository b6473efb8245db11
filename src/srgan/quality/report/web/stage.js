// One picture as the viewer shows it, with what the mode lays over it.

import { make } from "../../../web/dom.js";
import { data } from "./data.js";
import { blob, image } from "./pictures.js";

/**
 * @import { Case, Value } from "./data.js"
 *
 * @typedef {"picture" | "difference" | "overshoot"} Mode
 *
 * What there is to see of one image. Keys: "lr", "hr", or the number of a method.
 * @typedef {object} Source
 * @property {string} key
 * @property {string} label
 * @property {number | null} picture
 * @property {number | null} map
 * @property {Value[]} scores
 * @property {string} error
 */

/**
 * @param {Case} one
 * @returns {Source[]}
 */
export function sources(one) {
  const plain = { map: null, scores: [], error: "" };
  return [
    { key: "lr", label: "LR", picture: one.lr, ...plain },
    ...data.methods.map((method, m) => ({
      ...{ key: String(m), label: method.name, picture: one.sr[m], map: one.maps[m] },
      ...{ scores: one.scores[m] ?? [], error: one.errors[m] },
    })),
    ...(one.hr === null ? [] : [{ key: "hr", label: "HR", picture: one.hr, ...plain }]),
  ];
}

/**
 * The picture itself, which zooms and moves; or why there is none.
 *
 * @param {Source} source
 * @param {Case} one
 * @param {Mode} mode
 */
export function stage(source, one, mode) {
  if (source.picture === null) return make("p", { class: "error" }, source.error);
  const pixels = image(source.picture, {
    class: source.key === "lr" ? "lr" : null,
    alt: `${source.label} of ${one.dataset} / ${one.name}`,
  });
  const host = make("div", { class: "stage" }, pixels);
  if (mode === "difference" && one.hr !== null) host.append(image(one.hr, { class: "subtracted" }));
  if (mode === "overshoot" && source.map !== null) host.append(overlay(source.map));
  return host;
}

/**
 * A map of overshoot as yellow to red light: the more, the less transparent.
 *
 * @param {number} picture
 */
function overlay(picture) {
  const canvas = make("canvas", { class: "map" });
  createImageBitmap(blob(picture)).then((bitmap) => {
    canvas.width = bitmap.width;
    canvas.height = bitmap.height;
    const context = canvas.getContext("2d", { willReadFrequently: true });
    if (!context) return; // no memory is left for it
    context.drawImage(bitmap, 0, 0);
    const pixels = context.getImageData(0, 0, canvas.width, canvas.height);
    for (let k = 0; k < pixels.data.length; k += 4) {
      const strength = pixels.data[k] / 255;
      pixels.data[k] = 255;
      pixels.data[k + 1] = 210 - 170 * strength;
      pixels.data[k + 2] = 40;
      pixels.data[k + 3] = 255 * Math.min(1, 2 * strength);
    }
    context.putImageData(pixels, 0, 0);
    canvas.dataset.drawn = "true";
  });
  return canvas;
}
