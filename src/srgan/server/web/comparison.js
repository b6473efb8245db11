// The result beside what it came of: divider, zoom, and the buttons that choose one.

import { describeDivider, listenToDivider } from "../../web/divider.js";
import { byId, press } from "../../web/dom.js";
import { listenToFrame } from "../../web/gestures.js";
import { View } from "../../web/view.js";

const frame = byId("frame");
const divider = byId("divider");
const size = { width: 1 }; // of the picture
const asked = { factor: 0, zoom: 1 }; // by the buttons, 0 being to fit, and what that came to

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
  if (asked.factor) view.zoomAt(0.5, 0.5, asked.factor / magnification());
  else view.look(0, 0, 1);
  asked.zoom = view.zoom;
}

function refit() {
  if (view.zoom === asked.zoom) zoom();
  else view.look(view.left, view.top, view.zoom);
}

export function startComparison() {
  listenToFrame(frame, view, { divider, jumps: true });
  listenToDivider(divider, view);
  byId("zoom").addEventListener("click", ({ target }) => {
    if (!(target instanceof HTMLButtonElement)) return;
    asked.factor = Number(target.dataset.zoom);
    zoom();
  });
  new ResizeObserver(refit).observe(frame);
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
