// The squares in which each method did best and worst.

import { byId, make, offer } from "../../../web/dom.js";
import { caseTitle, data, number } from "./data.js";
import { format, meaning, withUnit } from "./measures.js";
import { blob, whenNear } from "./pictures.js";
import { visit } from "./viewer.js";

/** @import { Crop, Measure, Region } from "./data.js" */

/** Whether someone has chosen a measure; until then, each method shows what it is worst in. */
let isChosen = false;

export function startCrops() {
  const { measures, chosen: all } = data.crops;
  byId("crops").hidden = !all.length;
  if (!all.length) return;
  const [measure, method] = ["crop-measure", "crop-method"].map((id) => byId(id, HTMLSelectElement));
  const shown = [...new Set(all.map((crop) => crop.method))].sort((a, b) => a - b);
  const last = shown[shown.length - 1];
  offer(measure, measures.map(({ key, label }) => [key, label]), data.crops.worst[last]);
  offer(method, shown.map((m) => [m, data.methods[m].name]), last);
  measure.addEventListener("change", () => {
    isChosen = true;
    showCrops();
  });
  method.addEventListener("change", () => {
    if (!isChosen) measure.value = data.crops.worst[Number(method.value)];
    showCrops();
  });
  showCrops();
}

function showCrops() {
  const key = byId("crop-measure", HTMLSelectElement).value;
  const method = Number(byId("crop-method", HTMLSelectElement).value);
  const [measure] = data.crops.measures.filter((one) => one.key === key);
  const worst = data.crops.worst[method] === key;
  byId("crop-note").textContent = [
    worst ? `Of all artifacts, ${data.methods[method].name} is worst in this one, compared with HR.` : "",
    meaning(measure),
    "Squares of photos, without the flat ones: left the method, right HR, the reference. Choose one to see it in its picture.",
  ].join(" ").trim();
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
    make("span", { class: "value" }, cropValue(crop, measure)),
  );
}

/**
 * @param {Crop} crop
 * @param {Measure} measure
 */
function cropValue(crop, measure) {
  const own = withUnit(measure, format(measure, number(crop.value)));
  return crop.hr === null ? own : `${own} (HR ${format(measure, number(crop.hr))})`;
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
