// The result beside what it came of: divider, zoom, and the buttons that choose one.

import { describeDivider, listenToDivider } from "../../web/divider.js";
import { byId, press } from "../../web/dom.js";
import { listenToFrame } from "../../web/gestures.js";
import { View } from "../../web/view.js";

const frame = byId("frame");
const divider = byId("divider");
const size = { width: 1, factor: 0 }; // of the picture, and what was chosen: 0 is to fit

const view = new View({
  ...{ root: byId("result"), frame, width: () => size.width, canShrink: true, moved: showZoom },
  slid: () => describeDivider(divider, view, byId("before", HTMLImageElement).alt),
});

/** Pixels of the screen for one of the picture. */
const magnification = () => view.fit * view.zoom;

/** @param {number} factor Of a button. */
const isFactor = (factor) => Math.abs((factor || view.fit) - magnification()) < 1e-6;

function showZoom() {
  press("zoom", (button) => isFactor(Number(button.dataset.zoom)));
  frame.classList.toggle("pixelated", view.zoom !== 1 && magnification() > 1.001);
}

function zoom() {
  if (size.factor) view.zoomAt(0.5, 0.5, size.factor / magnification());
  else view.look(0, 0, 1);
}

export function startComparison() {
  listenToFrame(frame, view, { divider, jumps: true });
  listenToDivider(divider, view);
  byId("zoom").addEventListener("click", ({ target }) => {
    if (!(target instanceof HTMLButtonElement)) return;
    size.factor = Number(target.dataset.zoom);
    zoom();
  });
  new ResizeObserver(zoom).observe(frame);
  view.slide(view.split);
}

/**
 * Shows the frame, for pictures of this size.
 *
 * @param {number} width
 * @param {number} height
 */
export function fitTo(width, height) {
  if (!view.root.hidden && width === size.width) return; // who has zoomed in looks at the same place
  size.width = width;
  view.root.style.setProperty("--ratio", String(width / height));
  view.root.hidden = false;
  zoom();
}
