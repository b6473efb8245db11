// The squares in which each method did best and worst.

import { byId, make, offer } from "../../../web/dom.js";
import { caseTitle, data, number } from "./data.js";
import { format, meaning, withUnit } from "./measures.js";
import { blob, whenNear } from "./pictures.js";
import { visit } from "./viewer.js";

/** @import { Crop, Measure, Region } from "./data.js" */

export function startCrops() {
  const { measures, chosen: all } = data.crops;
  byId("crops").hidden = !all.length;
  if (!all.length) return;
  offer(byId("crop-measure", HTMLSelectElement), measures.map(({ key, label }) => [key, label]), "lpips");
  const shown = [...new Set(all.map((crop) => crop.method))].sort((a, b) => a - b);
  offer(
    byId("crop-method", HTMLSelectElement),
    shown.map((m) => [m, data.methods[m].name]),
    shown[shown.length - 1],
  );
  for (const id of ["crop-measure", "crop-method"]) byId(id).addEventListener("change", showCrops);
  showCrops();
}

function showCrops() {
  const key = byId("crop-measure", HTMLSelectElement).value;
  const method = Number(byId("crop-method", HTMLSelectElement).value);
  const [measure] = data.crops.measures.filter((one) => one.key === key);
  byId("crop-note").textContent =
    `${meaning(measure)} Squares of photos, without the flat ones: left the method, right HR, the reference. Choose one to see it in its picture.`;
  /**
   * @param {string} kind
   * @param {string} title
   */
  const group = (kind, title) => {
    const own = data.crops.chosen.filter(
      (crop) => crop.kind === kind && crop.measure === key && crop.method === method,
    );
    return [
      make("h3", {}, title),
      make("div", { class: "crops" }, own.map((crop) => cropButton(crop, measure))),
    ];
  };
  byId("crop-list").replaceChildren(...group("worst", "Worst"), ...group("best", "Best"));
}

/**
 * @param {Crop} crop
 * @param {Measure} measure
 */
function cropButton(crop, measure) {
  const one = data.cases[crop.case];
  const [, , height, width] = crop.region;
  const canvases = [one.sr[crop.method], one.hr].map((picture) => {
    const canvas = make("canvas", { width, height });
    if (picture !== null) whenNear(canvas, () => cutOut(canvas, picture, crop.region));
    return canvas;
  });
  return make(
    "button",
    { type: "button", onclick: () => visit(crop.case, crop.method, crop.region) },
    make("span", { class: "couple" }, canvases),
    make("span", { class: "name" }, caseTitle(crop.case)),
    make("span", { class: "value" }, withUnit(measure, format(measure, number(crop.value)))),
  );
}

/**
 * @param {HTMLCanvasElement} canvas
 * @param {number} picture
 * @param {Region} region
 */
async function cutOut(canvas, picture, [top, left, height, width]) {
  const bitmap = await createImageBitmap(blob(picture), left, top, width, height);
  canvas.getContext("2d")?.drawImage(bitmap, 0, 0);
  bitmap.close();
  canvas.dataset.drawn = "true";
}
