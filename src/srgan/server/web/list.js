// The list of the pictures that were given.

import { byId, make } from "../../web/dom.js";
import { current, pictures, results } from "./pictures.js";
import { tell } from "./status.js";

/** @import { Picture } from "./pictures.js" */

/**
 * @typedef {{ item: HTMLLIElement, pick: HTMLButtonElement, note: HTMLElement, bar: HTMLProgressElement, state: string }} Row
 */

/** @type {Map<Picture, Row>} */
const rows = new Map();

/**
 * @param {Picture} picture
 * @param {(picture: Picture) => void} pick
 * @param {(picture: Picture) => void} drop
 * @param {(picture: Picture, width: number, height: number) => void} measured Told once; 0 if the browser does not show it.
 * @returns {Row}
 */
function makeRow(picture, pick, drop, measured) {
  const address = URL.createObjectURL(picture.file);
  const onload = () => {
    URL.revokeObjectURL(address);
    measured(picture, thumb.naturalWidth, thumb.naturalHeight);
  };
  const onerror = () => {
    thumb.remove();
    measured(picture, 0, 0);
  };
  const thumb = make("img", { src: address, alt: "", onload, onerror });
  const note = make("span", { class: "note" });
  const bar = make("progress", { max: 1, hidden: true, "aria-label": `Progress of ${picture.file.name}` });
  const button = make("button", { type: "button", class: "pick", onclick: () => pick(picture) }, thumb, make("span", {}, picture.file.name), note);
  const remove = make("button", { type: "button", "aria-label": `Remove ${picture.file.name}`, onclick: () => drop(picture) }, "×");
  return { item: make("li", {}, button, bar, remove), pick: button, note, bar, state: picture.state };
}

/**
 * Brings the list up to date.
 *
 * @param {(picture: Picture) => void} pick
 * @param {(picture: Picture) => void} drop
 * @param {(picture: Picture, width: number, height: number) => void} measured As of `makeRow`.
 */
export function paint(pick, drop, measured) {
  for (const [picture, row] of rows) {
    if (pictures.includes(picture)) continue;
    const heir = (row.item.nextElementSibling ?? row.item.previousElementSibling)?.querySelector(":scope > button:last-child");
    const hasFocus = row.item.contains(document.activeElement);
    row.item.remove();
    if (hasFocus) /** @type {HTMLElement} */ (heir ?? byId("file")).focus(); // for who has no pointer
    rows.delete(picture);
  }
  for (const picture of pictures) {
    const row = rows.get(picture) ?? makeRow(picture, pick, drop, measured);
    if (!rows.has(picture)) byId("list").append(row.item);
    rows.set(picture, row);
    if (picture.state !== row.state && (picture.state === "done" || picture.state === "failed")) tell(`${picture.file.name}: ${picture.said}`);
    row.state = picture.state;
    row.note.textContent = picture.said;
    row.note.classList.toggle("bad", picture.state === "failed");
    row.bar.hidden = picture.state !== "working";
    if (picture.done) row.bar.value = picture.done;
    else row.bar.removeAttribute("value");
    row.pick.setAttribute("aria-pressed", String(picture === current()));
  }
  byId("shelf").hidden = !pictures.length;
  const busy = pictures.some(({ state }) => state === "working" || state === "waiting");
  byId("cancel", HTMLButtonElement).disabled = !busy;
  byId("start").textContent = pictures.length > 1 ? `Enlarge all ${pictures.length}` : "Enlarge";
  byId("zip").hidden = results().length < 2;
}
