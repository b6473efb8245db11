// The page that enlarges pictures in the browser alone.

import { enlarge } from "./enlarging.js";
import { check, contextOf, open, pixels, prepare } from "./reading.js";
import { fitTo, startComparison } from "./server/web/comparison.js";
import { complain, say } from "./server/web/status.js";
import { allowThreads } from "./threads.js";
import { byId, make } from "./web/dom.js";

/** @import { Model } from "./worker.js" */

const AREA = 2 ** 17; // pixels that a tile reads
const PATIENCE = 400; // milliseconds after the last change of a setting

const before = byId("before", HTMLImageElement);
const after = byId("after", HTMLCanvasElement);
const choice = byId("model", HTMLSelectElement);
const bar = byId("bar", HTMLProgressElement);
const wanted = new URLSearchParams(location.search); // "runtime" and "area", to try them

/** @type {Model[]} */
const models = [];
const state = {
  file: /** @type {File | null} */ (null),
  running: /** @type {AbortController | null} */ (null),
  timer: 0,
};

function chosen() {
  return models.find(({ name }) => name === choice.value) ?? models[0];
}

/** Enlarges the picture that is chosen, and ends what runs. */
async function start() {
  const { file } = state;
  if (!file) return;
  state.running?.abort();
  const running = new AbortController();
  state.running = running;
  const model = chosen();
  showBusy(true);
  say("A moment …");
  try {
    await open(before, file);
    prepare(after, before, model, models);
    await check(file);
    running.signal.throwIfAborted();
    fitTo(after.width, after.height);
    say(`Enlarging to ${after.width}x${after.height} pixels.`);
    await work(file, model, running.signal);
    say(`Done: ${after.width}x${after.height} pixels.`);
  } catch (error) {
    if (state.running !== running) return; // of the picture before
    if (running.signal.aborted) say("Cancelled.");
    else {
      byId("result").hidden = true; // what is there of it, or of the picture before
      complain(error);
    }
  }
  showBusy(false);
}

/**
 * @param {File} file
 * @param {Model} model
 * @param {AbortSignal} signal
 */
async function work(file, model, signal) {
  const context = contextOf(after);
  const began = performance.now();
  let first = 0; // when the first tile was there, after which the others come at one pace
  byId("left-time").textContent = `Loading the model (${model.megabytes} MB) and what runs it …`;
  const task = { lr: pixels(before), model, area: Number(wanted.get("area")) || AREA, runtime: wanted.get("runtime") ?? "" };
  const opened = () => {
    byId("left-time").textContent = "The first part of it is in work …";
  };
  const words = await enlarge(task, signal, opened, ({ sr, left, top, done, total }) => {
    context.putImageData(sr, left, top);
    const now = performance.now();
    first ||= now;
    bar.value = done / total;
    const pace = done > 1 ? (now - first) / (done - 1) : now - began;
    byId("left-time").textContent = `about ${Math.ceil((pace * (total - done)) / 1000)} s left`;
  });
  const seconds = ((performance.now() - began) / 1000).toFixed(1);
  byId("facts").textContent = `${model.name}, in ${seconds} s, by ${words}`;
  byId("licence").textContent = `${model.name}: ${model.licence}. ${model.scores}`;
  byId("promise").textContent = model.rounds
    ? "Scaled down again, the result gives the picture back."
    : "JPEG's blocks and some of the noise are taken away, so the result is not the picture when scaled down again.";
  await offerToSave(file, model);
}

/**
 * @param {File} file
 * @param {Model} model
 */
async function offerToSave(file, model) {
  const link = byId("download", HTMLAnchorElement);
  /** @type {Blob | null} */
  const png = await new Promise((resolve) => after.toBlob(resolve));
  if (!png) throw new Error("The browser has not enough memory to save the result. Close other pages, or take a smaller picture.");
  URL.revokeObjectURL(link.href);
  link.href = URL.createObjectURL(png);
  link.download = `${file.name.replace(/\.[^.]*$/, "") || "picture"}-${model.name}.png`;
  link.hidden = false;
}

/** @param {boolean} isBusy */
function showBusy(isBusy) {
  byId("busy").hidden = !isBusy;
  bar.removeAttribute("value");
  if (!isBusy) return;
  byId("left-time").textContent = "";
  byId("facts").textContent = "";
  byId("download").hidden = true;
}

/** @param {File | undefined} file */
function take(file) {
  if (!file) return;
  state.file = file;
  start();
}

/** @param {DataTransfer | null} data That was dropped or pasted. */
function takeFrom(data) {
  if (data?.files.length) take(data.files[0]);
  else if (data?.types.length) say("That is a link or a text, not a picture. Save the picture first, then drop the file.", true);
}

/** @param {string} name */
function exampleButton(name) {
  const address = `examples/${name}.png`;
  const give = async () => take(new File([await (await fetch(address)).blob()], `${name}.png`));
  return make("button", { type: "button", onclick: () => give().catch(complain) }, make("img", { src: address, alt: name }));
}

function listen() {
  const input = byId("file", HTMLInputElement);
  input.addEventListener("change", () => {
    take(input.files?.[0]);
    input.value = ""; // so that the same file can be chosen again
  });
  addEventListener("paste", (event) => takeFrom(event.clipboardData));
  addEventListener("dragover", (event) => {
    event.preventDefault();
    byId("drop").classList.add("over");
  });
  addEventListener("dragleave", () => byId("drop").classList.remove("over"));
  addEventListener("drop", (event) => {
    event.preventDefault();
    byId("drop").classList.remove("over");
    takeFrom(event.dataTransfer);
  });
  byId("cancel").addEventListener("click", () => state.running?.abort());
  choice.addEventListener("input", () => {
    clearTimeout(state.timer);
    state.timer = setTimeout(start, PATIENCE);
  });
}

async function begin() {
  if (typeof WebAssembly === "undefined") {
    throw new Error("This browser has no WebAssembly, with which the page computes, or it is turned off, as by Lockdown Mode. Take another browser, or install srgan.");
  }
  await allowThreads();
  const answer = await fetch("models.json");
  if (!answer.ok) throw new Error(`The list of models cannot be loaded: the server says ${answer.status}.`);
  const { models: listed, examples } = await answer.json();
  models.push(...listed);
  for (const { name, words } of models) choice.append(make("option", { value: name }, words));
  byId("examples").append(...examples.map(exampleButton));
  startComparison();
  listen();
  byId("file", HTMLInputElement).disabled = false;
  say("");
}

begin().catch(complain);
