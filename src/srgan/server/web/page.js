// The page of the service: pictures go to v1/upscale, and what comes of them is shown beside them.

import { byId, make } from "../../web/dom.js";
import { limits, showChoice, showOffer } from "./choices.js";
import { startComparison } from "./comparison.js";
import { keepPage } from "./keeping.js";
import { paint } from "./list.js";
import { cancel, drawMap, look, start } from "./making.js";
import { add, choose, current, pictures, remove, results, workOf } from "./pictures.js";
import { GONE, read, useToken } from "./requests.js";
import { give, show } from "./showing.js";
import { expect, measure } from "./sizes.js";
import { complain, reason, say, tell } from "./status.js";
import { archive } from "./zip.js";

/** @import { Picture } from "./pictures.js" */

const AGAIN = 3000; // milliseconds until a service that did not answer is asked again
const PATIENCE = 400; // milliseconds after the last change of a setting

const timer = { settings: 0 };

function changed() {
  paint(pick, drop, measured);
  show();
}

/** @param {Picture} picture */
async function pick(picture) {
  choose(picture);
  changed();
  if (!picture.works.length && !picture.preview) await preview(picture);
  else say(picture.state === "failed" ? picture.said : "", true);
}

/** @param {Picture} picture */
function drop(picture) {
  const wasShown = picture === current();
  remove(picture);
  changed();
  const next = current();
  if (wasShown && next) pick(next);
  else if (!next) say("");
}

/**
 * @param {Picture} picture
 * @param {number} width
 * @param {number} height
 */
function measured(picture, width, height) {
  if (picture.said || picture.width) return; // more is known of it
  if (!width) {
    if (picture !== current()) measure(picture, changed);
    return;
  }
  Object.assign(picture, { width, height });
  expect(picture);
  changed();
}

/** @param {Picture} picture */
async function preview(picture) {
  if (tooLarge(picture.file)) {
    Object.assign(picture, { state: "failed", said: tooLarge(picture.file) });
  } else {
    say("A moment …");
    try {
      await look(picture, changed);
    } catch (error) {
      if (!reason(error)) return; // something else is looked at by now
      if (!picture.works.length) Object.assign(picture, { state: "failed", said: reason(error) });
    }
  }
  changed();
  say(picture.state === "failed" ? picture.said : "", picture.state === "failed");
  if (picture.state === "new") tell(`${picture.file.name}: ${picture.said}; a preview is shown.`);
}

/** @param {File} file */
function tooLarge(file) {
  const size = file.size / 1e6;
  return size > limits.megabytes ? `The file has ${size.toFixed(1)} megabytes; expected at most ${limits.megabytes}.` : "";
}

/**
 * Takes pictures, and shows the first.
 *
 * @param {Iterable<File>} files
 * @param {string} hr The address of the reference, if there is one.
 */
async function take(files, hr = "") {
  const added = [...files].map((file) => add(file, hr));
  if (!added.length) return;
  for (const picture of added) {
    if (tooLarge(picture.file)) Object.assign(picture, { state: "failed", said: tooLarge(picture.file) });
  }
  choose(added[0]);
  changed();
  await preview(added[0]);
}

/** @param {DataTransfer | null} data That was dropped or pasted. */
async function takeFrom(data) {
  const entries = [...(data?.items ?? [])].map((item) => item.webkitGetAsEntry?.());
  if (entries.some((entry) => entry?.isDirectory)) {
    say("That is a folder. Open it, and drop its pictures.", true);
  } else if (data?.files.length) await take(data.files);
  else if (data?.types.length) say("That is a link or a text, not a picture. Save the picture first, then drop the file.", true);
}

/** @param {string} name */
function exampleButton(name) {
  const address = `examples/${name}/lr`;
  const open = async () => {
    const file = await (await fetch(address)).blob();
    await take([new File([file], `${name}.webp`, { type: file.type })], `examples/${name}/hr`);
  };
  return make("button", { type: "button", onclick: () => open().catch(complain) }, make("img", { src: address, alt: name }));
}

function listenToFiles() {
  const input = byId("file", HTMLInputElement);
  const target = byId("drop");
  input.addEventListener("change", () => {
    take(input.files ?? []);
    input.value = ""; // so that the same file can be chosen again
  });
  addEventListener("paste", (event) => takeFrom(event.clipboardData));
  addEventListener("dragover", (event) => {
    event.preventDefault();
    target.classList.add("over");
  });
  addEventListener("dragleave", () => target.classList.remove("over"));
  addEventListener("drop", (event) => {
    event.preventDefault();
    target.classList.remove("over");
    takeFrom(event.dataTransfer);
  });
}

function listenToSettings() {
  for (const id of ["model", "realism", "scale", "format"]) {
    byId(id).addEventListener("input", () => {
      showChoice();
      clearTimeout(timer.settings);
      timer.settings = setTimeout(() => {
        const picture = current(); // which may be another one by now
        for (const other of pictures) {
          if (other !== picture && other.said && other.said === other.expected) expect(other);
        }
        changed();
        if (picture) preview(picture);
      }, PATIENCE);
    });
  }
}

function listenToShelf() {
  byId("start").addEventListener("click", () => {
    const possible = pictures.filter(({ file }) => !tooLarge(file));
    start(possible, changed).catch(complain);
  });
  byId("cancel").addEventListener("click", () => {
    cancel(pictures);
    changed();
  });
  byId("clear").addEventListener("click", () => {
    for (const picture of [...pictures]) remove(picture);
    say("");
    changed();
    byId("file").focus(); // the button is gone
  });
  byId("zip").addEventListener("click", async () => {
    const link = make("a", { download: "enlarged.zip" });
    await give(link, await archive(results()));
    link.click();
  });
}

function listenToResult() {
  for (const side of /** @type {const} */ (["left", "right"])) {
    const select = byId(side, HTMLSelectElement);
    select.addEventListener("change", () => {
      const picture = current();
      if (picture) picture[side] = select.value;
      changed();
    });
  }
  byId("map").addEventListener("click", () => {
    const picture = current();
    const work = picture && workOf(picture, picture.right);
    if (!work) return;
    say("A moment …");
    drawMap(picture, work, changed).then(() => {
      say("");
      tell("What is guessed is shown right of the divider.");
    }, complain);
  });
}

async function showService() {
  const [offered, examples] = await Promise.all([read("v1/models"), read("examples")]);
  showOffer(offered);
  byId("examples").replaceChildren(...examples.map(exampleButton));
  byId("access").hidden = true;
  say("");
  const picture = current();
  if (picture?.state === "failed") await preview(picture);
}

/** Shows what the service offers, as soon as it is there. */
async function awaitService() {
  try {
    await showService();
  } catch (error) {
    complain(error);
    if (reason(error) === GONE) setTimeout(awaitService, AGAIN);
  }
}

function begin() {
  startComparison();
  addEventListener("denied", () => {
    byId("access").hidden = false;
  });
  byId("access").addEventListener("submit", (event) => {
    event.preventDefault(); // of going elsewhere
    useToken(byId("token", HTMLInputElement).value);
    showService().then(() => byId("file").focus(), complain);
  });
  listenToFiles();
  listenToSettings();
  listenToShelf();
  listenToResult();
  awaitService();
}

begin();
keepPage();
