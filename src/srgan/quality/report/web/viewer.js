// The viewer: one image, as each method made it.

import { listenToDivider } from "../../../web/divider.js";
import { buttonsOf, byId, make, offer, press } from "../../../web/dom.js";
import { listenToFrame } from "../../../web/gestures.js";
import { caseTitle, data, number } from "./data.js";
import { chosen, listenToZoom, sizeFrames, view } from "./frames.js";
import { bests, format, meaning, withUnit } from "./measures.js";
import { image } from "./pictures.js";
import { sources, stage } from "./stage.js";
import { markInStrip, scrolling, startStrip } from "./strip.js";

/**
 * @import { Case, Region } from "./data.js"
 * @import { Mode, Source } from "./stage.js"
 */

export function startViewer() {
  chosen.after = String(data.methods.length - 1);
  startStrip(showCase);
  listenToFrame(byId("compare"), view, { divider: byId("divider") });
  listenToDivider(byId("divider"), view);
  listenToZoom();
  byId("previous").addEventListener("click", () => showCase(chosen.index - 1));
  byId("next").addEventListener("click", () => showCase(chosen.index + 1));
  for (const button of buttonsOf("modes")) {
    button.addEventListener("click", () => {
      chosen.mode = /** @type {Mode} */ (button.dataset.mode);
      showPictures();
    });
  }
  for (const side of /** @type {const} */ (["before", "after"])) {
    const select = byId(side, HTMLSelectElement);
    select.addEventListener("change", () => {
      chosen[side] = select.value;
      showPictures();
    });
  }
  const gain = byId("gain", HTMLSelectElement);
  const amplify = () => byId("viewer").style.setProperty("--gain", gain.value);
  gain.addEventListener("change", amplify);
  amplify();
  showCase(0);
}

/** @param {number} index */
function showCase(index) {
  chosen.index = index;
  const one = data.cases[index];
  const visible = sources(one).filter((source) => source.picture !== null);
  const keys = visible.map((source) => source.key);
  if (!keys.includes(chosen.before)) chosen.before = keys[0];
  if (!keys.includes(chosen.after)) chosen.after = keys[keys.length - 1];
  if (one.hr === null) chosen.mode = "picture";

  byId("case-name").textContent = caseTitle(index);
  byId("case-note").textContent = caseNote(one);
  for (const side of /** @type {const} */ (["before", "after"])) {
    /** @type {[string, string][]} */
    const entries = visible.map((source) => [source.key, source.label]);
    offer(byId(side, HTMLSelectElement), entries, chosen[side]);
  }
  for (const button of buttonsOf("modes")) {
    button.disabled = button.dataset.mode !== "picture" && one.hr === null;
    button.title = button.disabled ? "This image has no HR (reference) to compare with." : "";
  }
  markInStrip(index);
  byId("previous", HTMLButtonElement).disabled = index === 0;
  byId("next", HTMLButtonElement).disabled = index === data.cases.length - 1;
  const [, , height, width] = one.region;
  byId("viewer").style.setProperty("--ratio", String(width / height));
  showOverview(one);
  showPictures();
  view.look(0, 0, 1);
}

/**
 * Opens the viewer at a rectangle of the pictures, with a method beside the reference.
 *
 * @param {number} index
 * @param {number} method
 * @param {Region | null} region
 */
export function visit(index, method, region = null) {
  const one = data.cases[index];
  if (one.sr[method] !== null) chosen.before = String(method);
  chosen.after = one.hr === null ? "lr" : "hr";
  showCase(index);
  if (region) {
    const [top, left, height, width] = region;
    const [, , high, wide] = one.region;
    const zoom = Math.max(1, Math.min(wide / width, high / height) / 1.6);
    view.look((left + width / 2) / wide - 0.5 / zoom, (top + height / 2) / high - 0.5 / zoom, zoom);
    view.slide(0.5);
  }
  byId("viewer").scrollIntoView({ behavior: scrolling() });
  byId("compare").focus({ preventScroll: true });
}

/** @param {Case} one */
function caseNote(one) {
  const [, , height, width] = one.region;
  const part = width < one.width || height < one.height;
  return [
    `${one.width}x${one.height} pixels from ${one.width / data.scale}x${one.height / data.scale}.`,
    part ? `Shown is the part of ${width}x${height} where the methods differ most.` : "",
    one.quality === null
      ? "Pictures without loss."
      : `Pictures compressed, WebP quality ${one.quality}, all alike: scores are those of the uncompressed ones.`,
    one.hr === null ? "There is no HR (reference)." : "",
  ]
    .filter(Boolean)
    .join(" ");
}

/** @param {Case} one */
function showOverview(one) {
  const [top, left, height, width] = one.region;
  const whole = width === one.width && height === one.height;
  byId("overview").hidden = whole;
  if (whole) return byId("overview").replaceChildren();
  const mark = make("span", { class: "mark" });
  mark.style.left = `${(100 * left) / one.width}%`;
  mark.style.top = `${(100 * top) / one.height}%`;
  mark.style.width = `${(100 * width) / one.width}%`;
  mark.style.height = `${(100 * height) / one.height}%`;
  const alt = "The whole photo, with a frame around the part shown";
  return byId("overview").replaceChildren(image(one.thumbnail, { alt }), mark);
}

function showPictures() {
  const one = data.cases[chosen.index];
  const all = sources(one);
  for (const [side, layer] of /** @type {const} */ ([["before", "under"], ["after", "over"]])) {
    const [source] = all.filter(({ key }) => key === chosen[side]);
    byId(layer).replaceChildren(stage(source, one, chosen.mode));
    byId(`${side}-label`).textContent = source.label;
  }
  const best = data.measures.map((measure, column) =>
    bests(measure, one.scores.map((scores) => number(scores?.[column]))),
  );
  byId("panes").replaceChildren(
    ...all.map((source) => pane(source, one, (column) => best[column][Number(source.key)])),
  );
  press("modes", (button) => button.dataset.mode === chosen.mode);
  byId("viewer").dataset.mode = chosen.mode;
  byId("gain-choice").hidden = chosen.mode !== "difference";
  byId("legend").hidden = chosen.mode !== "overshoot";
  byId("legend-end").textContent = `${data.overshoot_peak} grey levels or more`;
  view.slide(view.split);
  sizeFrames();
  view.apply();
}

/**
 * A small frame with its scores.
 *
 * @param {Source} source
 * @param {Case} one
 * @param {(column: number) => boolean} isBest
 */
function pane(source, one, isBest) {
  const shown = stage(source, one, chosen.mode);
  const layer = source.picture === null ? shown : make("div", { class: "layer" }, shown);
  const frame = make("div", { class: "frame", tabindex: "-1" }, layer);
  listenToFrame(frame, view);
  const scores = source.scores.map((value, column) => {
    const measure = data.measures[column];
    return Number.isNaN(number(value))
      ? null
      : make(
          "div",
          { title: meaning(measure), class: isBest(column) ? "best" : null },
          make("dt", {}, measure.label),
          make("dd", {}, withUnit(measure, format(measure, number(value)))),
        );
  });
  return make(
    "figure",
    { "data-key": source.key },
    frame,
    make("figcaption", {}, source.label),
    scores.length ? make("dl", { class: "scores" }, scores) : null,
  );
}
