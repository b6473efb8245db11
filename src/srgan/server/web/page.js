// The page of the service: a picture goes to v1/upscale, and the result is shown beside it.

import { byId, make } from "../../web/dom.js";
import { startComparison } from "./comparison.js";
import { enlargeAll } from "./batch.js";
import { giveUp, read, Refusal, useToken } from "./requests.js";
import { enlargeSoon, limit, listenToShown, models, nameOf, open, showLeft } from "./result.js";
import { say } from "./status.js";

/** @import { Offer } from "./requests.js" */

function changeModel() {
  const model = models.get(byId("model", HTMLSelectElement).value);
  byId("realism-choice").hidden = !model?.realism;
  byId("promise").textContent = !model
    ? "A picture with JPEG artifacts, noise or blur gets the model that takes them away."
    : model.consistency_rounds
    ? "Scaled down again, the result gives the picture back."
    : "The result need not give the picture back: a model for degraded photos takes JPEG's blocks and some of the noise away.";
}

function turnDial() {
  const { value } = byId("realism", HTMLInputElement);
  byId("realism-value", HTMLOutputElement).value = Number(value).toFixed(2);
}

// What the models that come with srgan are for; others are known by their names.
/** @type {Record<string, string>} */
const WORDS = {
  "srgan-x4": "Clean picture",
  "srgan-psnr-x4": "Clean picture, true to the pixels",
  "srgan-x2": "Clean picture",
  "srgan-psnr-x2": "Clean picture, true to the pixels",
  "srgan-photo-x4": "Photo with noise, blur or JPEG's blocks",
  "srgan-photo-psnr-x4": "The same, smoother",
  "srgan-fast-x4": "Fast",
  "srgan-fast-psnr-x4": "Fast, true to the pixels",
};

/** @param {Offer} offered */
function showOffer({ models: all, auto, reads, limits }) {
  limit(limits.megabytes);
  byId("most").textContent =
    `${reads} of at most ${limits.megabytes} MB, of which the model makes at most ${limits.megapixels} megapixels`;
  if (auto) byId("model").append(make("option", { value: "" }, "Choose for me"));
  for (const model of all) {
    models.set(model.name, model);
    byId("model").append(make("option", { value: model.name }, `${WORDS[model.name] ?? model.name}, ${model.scale}×`));
  }
  changeModel();
  turnDial();
}

/** @param {string} name */
function exampleButton(name) {
  const address = `examples/${name}/lr`;
  const choose = async () => {
    const file = await (await fetch(address)).blob();
    await open(new File([file], `${name}.webp`, { type: file.type }), name, `examples/${name}/hr`);
  };
  return make("button", { type: "button", onclick: choose }, make("img", { src: address, alt: name }));
}

/** @param {FileList | undefined | null} files */
function take(files) {
  const all = [...(files ?? [])];
  byId("batch").hidden = true;
  if (all.length > 1) enlargeAll(all);
  else if (all.length) open(all[0], nameOf(all[0]));
}

function listenToFiles() {
  const input = byId("file", HTMLInputElement);
  const drop = byId("drop");
  input.addEventListener("change", () => {
    take(input.files);
    input.value = ""; // so that the same can be chosen again
  });
  addEventListener("paste", (event) => take(event.clipboardData?.files));
  addEventListener("dragover", (event) => {
    event.preventDefault();
    drop.classList.add("over");
  });
  addEventListener("dragleave", () => drop.classList.remove("over"));
  addEventListener("drop", (event) => {
    event.preventDefault();
    drop.classList.remove("over");
    const { files, types = [] } = event.dataTransfer ?? {};
    if (!files?.length && types.length) {
      say("That is a link or a text, and no file. Save the picture, and drop its file here.", true);
    } else take(files);
  });
}

function listenToWishes() {
  byId("model").addEventListener("change", () => {
    changeModel();
    enlargeSoon();
  });
  byId("realism").addEventListener("input", turnDial);
  for (const id of ["realism", "scale", "format"]) byId(id).addEventListener("change", enlargeSoon);
  byId("left").addEventListener("change", showLeft);
}

async function begin() {
  const [offered, examples] = await Promise.all([read("v1/models"), read("examples")]);
  showOffer(offered);
  byId("examples").append(...examples.map(exampleButton));
  listenToFiles();
  listenToWishes();
  listenToShown();
}

/** @param {unknown} error */
function ask(error) {
  byId("token-choice").hidden = !(error instanceof Refusal && error.code === 401);
  say(error instanceof Error ? error.message : String(error), true);
}

startComparison();
byId("cancel").addEventListener("click", () => {
  giveUp();
  say("Cancelled.");
});
byId("token-choice").addEventListener("submit", (event) => {
  event.preventDefault();
  useToken(byId("token", HTMLInputElement).value);
  byId("token-choice").hidden = true;
  say("");
  begin().catch(ask);
});
begin().catch(ask);
