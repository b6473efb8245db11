// The frames of the viewer: how large they are, and what they show of their pictures.

import { describeDivider } from "../../../web/divider.js";
import { byId } from "../../../web/dom.js";
import { View, fitScale } from "../../../web/view.js";
import { data } from "./data.js";

/** @import { Mode } from "./stage.js" */

/** What is chosen: the image, the mode, and the keys of the sources left and right of the divider. */
export const chosen = { index: 0, mode: /** @type {Mode} */ ("picture"), before: "0", after: "" };

export const view = new View({
  ...{ root: byId("viewer"), frame: byId("compare"), width: widthShown },
  ...{ moved: showZoom, slid: showSplit },
});

function widthShown() {
  return data.cases[chosen.index].region[3];
}

/** @returns {NodeListOf<HTMLElement>} */
const frames = () => view.root.querySelectorAll(".frame");

function showZoom() {
  byId("zoom-label").textContent = `${Math.round(100 * view.fit * view.zoom)} %`;
  byId("zoom-out", HTMLButtonElement).disabled = view.zoom <= 1;
  byId("zoom-fit", HTMLButtonElement).disabled = view.zoom <= 1;
  byId("zoom-in", HTMLButtonElement).disabled = view.zoom >= view.most;
  byId("zoom-one", HTMLButtonElement).disabled = view.fit > 1;
  for (const frame of frames()) {
    frame.classList.toggle("pixelated", fitScale(frame, widthShown()) * view.zoom > 1);
  }
}

function showSplit() {
  describeDivider(byId("divider"), view, byId("before-label").textContent ?? "");
}

/**
 * Gives each frame its size. A picture that nearly fills its frame is shown at a whole number of
 * screen pixels for each of its own, which is crisp; where pixels are hardly seen, size counts for
 * more.
 */
export function sizeFrames() {
  const pairs = [...frames()].map((frame) => ({ frame, holder: /** @type {HTMLElement} */ (frame.parentElement) }));
  for (const { holder } of pairs) holder.style.width = "";
  const least = devicePixelRatio < 2 ? 0.66 : 0.85;
  const available = pairs.map(({ frame }) => frame.clientWidth * devicePixelRatio);
  pairs.forEach(({ holder }, k) => {
    const crisp = Math.floor(available[k] / widthShown()) * widthShown();
    if (crisp >= least * available[k]) holder.style.width = `${crisp / devicePixelRatio}px`;
  });
}

/** Follows the size of the window, and the buttons. */
export function listenToZoom() {
  byId("zoom-in").addEventListener("click", () => view.zoomAt(0.5, 0.5, 1.5));
  byId("zoom-out").addEventListener("click", () => view.zoomAt(0.5, 0.5, 1 / 1.5));
  byId("zoom-fit").addEventListener("click", () => view.look(0, 0, 1));
  byId("zoom-one").addEventListener("click", () => view.zoomAt(0.5, 0.5, 1 / view.fit / view.zoom));
  let width = 0;
  new ResizeObserver(() => {
    if (width === view.root.clientWidth) return;
    width = view.root.clientWidth;
    sizeFrames();
    view.look(view.left, view.top, view.zoom);
  }).observe(view.root);
}
