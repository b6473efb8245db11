// The picture that is chosen, beside what was made of it.

import { byId, offer } from "../../web/dom.js";
import { models } from "./choices.js";
import { fitTo } from "./comparison.js";
import { hasMap, shownAs, shownByService, visible } from "./making.js";
import { current, workOf } from "./pictures.js";
import { complain } from "./status.js";

/** @import { Picture, Work } from "./pictures.js" */

const BEFORE = "Before";
const PREVIEW = "Preview of the middle";

/** @type {Map<Element, { file: Blob | string, address: string }>} */
const shown = new Map(); // by the element that shows it

/**
 * Gives an element a file, in place of the one before.
 *
 * @param {HTMLImageElement | HTMLAnchorElement} element
 * @param {Blob | string} file Or its address.
 */
export function give(element, file) {
  const old = shown.get(element);
  if (old?.file !== file) {
    if (old?.file instanceof Blob) URL.revokeObjectURL(old.address);
    const address = file instanceof Blob ? URL.createObjectURL(file) : file;
    shown.set(element, { file, address });
    if (element instanceof HTMLImageElement) element.src = address;
    else element.href = address;
  }
  return element instanceof HTMLImageElement ? element.decode().then(() => true, () => false) : Promise.resolve(true);
}

/** @type {WeakSet<Work>} */
const unseen = new WeakSet(); // what the browser did not show

/** @type {WeakSet<Picture>} */
const turned = new WeakSet(); // what only the service sets upright

const offered = { sides: "" };

/** @param {HTMLImageElement} image */
const isWide = ({ naturalWidth: width, naturalHeight: height }) => width > height;

/** @param {Picture} picture */
function offerSides(picture) {
  /** @type {[string, string][]} */
  const works = picture.works.map(({ key, label }) => [key, label]);
  /** @type {[string, string][]} */
  const references = picture.hr ? [["hr", "The true picture"]] : [];
  /** @type {[string, string][]} */
  const previews = picture.preview ? [["preview", `${PREVIEW}: ${picture.preview.label}`]] : [];
  const previewed = picture.right === "preview";
  const sides = JSON.stringify([references, works, previews, picture.left, picture.right]);
  if (sides === offered.sides) return; // an open list stays open
  offered.sides = sides;
  offer(byId("left", HTMLSelectElement), [["before", BEFORE], ...(previewed ? [] : [...references, ...works])], previewed ? "before" : picture.left);
  offer(byId("right", HTMLSelectElement), [...works, ...previews], picture.right);
}

/**
 * @param {Picture} picture
 * @returns {Promise<Blob | string>} What is left of the divider.
 */
async function leftOf(picture) {
  if (picture.right === "preview" && picture.preview) return picture.preview.before;
  if (picture.left === "hr") return picture.hr;
  const work = workOf(picture, picture.left);
  return work ? work.view ?? work.file : visible(picture);
}

/** Shows what is chosen. */
export async function show() {
  const picture = current();
  const work = picture ? workOf(picture, picture.right) : undefined;
  const after = work?.view ?? work?.file ?? (picture?.right === "preview" ? picture.preview?.after : undefined);
  if (!picture || !after) {
    byId("result").hidden = true;
    return;
  }
  offerSides(picture);
  const label = work?.label ?? `${PREVIEW}: ${picture.preview?.label}`;
  const image = byId("after", HTMLImageElement);
  const left = await leftOf(picture).catch(complain);
  const isSeen = (await Promise.all([give(image, after), left && give(byId("before", HTMLImageElement), left)]))[0];
  if (work && !isSeen && !work.view && !unseen.has(work)) {
    unseen.add(work); // it is asked for once
    work.view = await shownAs(work.file).catch(() => undefined);
    await show();
    return;
  }
  if (work?.kind === "result" && left && left === picture.view && isWide(image) !== isWide(byId("before", HTMLImageElement)) && !turned.has(picture)) {
    turned.add(picture);
    picture.view = await shownByService(picture.file).catch(() => picture.view);
    await show();
    return;
  }
  if (current() !== picture || (work ?? picture.preview?.after) !== (workOf(picture, picture.right) ?? after)) return;
  image.alt = label;
  const other = workOf(picture, picture.left);
  const leftLabel = other?.label ?? (picture.left === "hr" ? "The true picture" : BEFORE);
  byId("before", HTMLImageElement).alt = picture.right === "preview" ? BEFORE : leftLabel;
  byId("left-side").textContent = picture.right === "preview" ? BEFORE : leftLabel;
  byId("right-side").textContent = work ? (other?.kind === work.kind ? label : work.kind === "map" ? "What is guessed" : "After") : "Preview";
  fitTo(image.naturalWidth || 1, image.naturalHeight || 1);
  explain(picture, work, isSeen);
}

/** @param {number} bytes */
function megabytes(bytes) {
  return bytes < 1e5 ? `${(bytes / 1e3).toFixed(1)} kB` : `${(bytes / 1e6).toFixed(2)} MB`;
}

/**
 * @param {Picture} picture
 * @param {Work | undefined} work
 * @param {boolean} isSeen Whether the browser shows it.
 */
function explain(picture, work, isSeen) {
  const { naturalWidth: width, naturalHeight: height } = byId("after", HTMLImageElement);
  const model = work?.model ?? picture.preview?.model ?? "";
  const notes = (work ?? picture.preview)?.notes ?? "";
  byId("legend").hidden = work?.kind !== "map";
  const hadFocus = document.activeElement === byId("map");
  byId("map").hidden = !hasMap(work);
  if (hadFocus && !hasMap(work)) byId("frame").focus({ preventScroll: true }); // for who has no pointer
  const download = byId("download", HTMLAnchorElement);
  download.hidden = !work;
  byId("facts").textContent = work
    ? `${isSeen ? `${width}x${height} pixels, ` : ""}${megabytes(work.file.size)}, in ${work.seconds.toFixed(1)} s, by ${model}`
    : `${picture.state === "new" ? `${picture.said}. ` : ""}This is the middle of it, by ${model}.`;
  if (work) {
    give(download, work.file);
    download.download = work.name;
    byId("curl").textContent = command(picture.file.name, work);
  }
  byId("licence").textContent = `${model}: ${models.get(model)?.licence}. ${models.get(model)?.scores}`;
  byId("notes").textContent = !isSeen
    ? "This browser does not show files of this format. The file is complete: save it."
    : work?.kind === "map"
    ? "Dark is what the small picture determines. The brighter a place, the more of its detail is guessed."
    : notes && `Note: ${notes}.`;
}

/**
 * @param {string} name Of the picture's file.
 * @param {Work} work
 */
function command(name, { kind, query }) {
  const file = /^[\w.-]+$/.test(name) ? name : "photo.jpg";
  const path = kind === "map" ? "error-map" : "upscale";
  const address = `${location.origin}/v1/${path}?${new URLSearchParams(query)}`;
  return `curl --data-binary @${file} -o enlarged.${query.format ?? "png"} \\\n  "${address}"`;
}
