// Drags, pinches, wheels and keys of a frame.

/** @import { View } from "./view.js" */

/**
 * @param {HTMLElement} frame
 * @param {View} view
 * @param {object} [options]
 * @param {Element | null} [options.divider] Of this frame: a drag moves it, unless the picture is enlarged.
 * @param {boolean} [options.jumps] Whether the divider comes to where the frame is pressed.
 */
export function listenToFrame(frame, view, { divider = null, jumps = false } = {}) {
  listenToPointers(frame, view, divider, jumps);
  frame.addEventListener(
    "wheel",
    (event) => {
      // Whoever only scrolls past keeps scrolling.
      const meant = event.ctrlKey || event.metaKey || view.root.contains(document.activeElement);
      if (!meant || (event.deltaY > 0 && view.zoom <= view.least)) return;
      event.preventDefault();
      const lines = event.deltaMode === WheelEvent.DOM_DELTA_LINE ? 30 : 1;
      view.zoomAt(...placeIn(frame, event), 2 ** ((-event.deltaY * lines) / 300));
    },
    { passive: false },
  );
  frame.addEventListener("dblclick", (event) => {
    if (event.target !== divider) view.zoomAt(...placeIn(frame, event), 2);
  });
  frame.addEventListener("keydown", (event) => {
    const step = 0.1 / view.zoom;
    /** @type {Record<string, [number, number]>} */
    const moves = { ArrowLeft: [-step, 0], ArrowRight: [step, 0], ArrowUp: [0, -step], ArrowDown: [0, step] };
    if (event.target !== frame || event.ctrlKey || event.metaKey || event.altKey) return;
    if (moves[event.key] && view.zoom > 1) {
      view.look(view.left + moves[event.key][0], view.top + moves[event.key][1], view.zoom);
    } else if (event.key === "+" || event.key === "=") view.zoomAt(0.5, 0.5, 1.5);
    else if (event.key === "-") view.zoomAt(0.5, 0.5, 1 / 1.5);
    else if (event.key === "0") view.look(0, 0, 1);
    else return;
    event.preventDefault();
  });
}

/**
 * @param {HTMLElement} frame
 * @param {View} view
 * @param {Element | null} divider
 * @param {boolean} jumps
 */
function listenToPointers(frame, view, divider, jumps) {
  /** @type {Map<number, [number, number]>} */
  const fingers = new Map();
  let sliding = false;
  frame.addEventListener("pointerdown", (event) => {
    if (event.button) return;
    const slides = divider !== null && (event.target === divider || view.zoom <= 1);
    sliding = fingers.size === 0 && slides;
    const place = placeIn(frame, event);
    fingers.set(event.pointerId, place);
    frame.setPointerCapture(event.pointerId);
    frame.classList.add("held");
    if (sliding && jumps && event.target !== divider) view.slide(place[0]);
  });
  frame.addEventListener("pointermove", (event) => {
    const old = fingers.get(event.pointerId);
    if (!old) return;
    const now = placeIn(frame, event);
    fingers.set(event.pointerId, now);
    if (fingers.size === 1 && sliding) {
      view.slide(now[0]);
      // Where the browser leaves all touches to us, so that none ends early, a page is still scrolled.
      if (jumps && event.pointerType === "touch") scrollBy(0, -event.movementY / devicePixelRatio);
    } else if (fingers.size === 1) {
      const [dx, dy] = [now[0] - old[0], now[1] - old[1]];
      view.look(view.left - dx / view.zoom, view.top - dy / view.zoom, view.zoom);
    } else if (fingers.size === 2) {
      sliding = false;
      const still = [...fingers].filter(([id]) => id !== event.pointerId)[0][1];
      /** @param {[number, number]} place */
      const apart = (place) =>
        Math.hypot((place[0] - still[0]) * frame.clientWidth, (place[1] - still[1]) * frame.clientHeight);
      view.zoomAt(...still, Math.max(apart(now), 1) / Math.max(apart(old), 1));
    }
  });
  for (const end of /** @type {const} */ (["pointerup", "pointercancel"])) {
    frame.addEventListener(end, (event) => {
      fingers.delete(event.pointerId);
      if (!fingers.size) frame.classList.remove("held");
    });
  }
}

/**
 * Where in a frame an event is, both coordinates from 0 to 1.
 *
 * @param {Element} frame
 * @param {MouseEvent} event
 * @returns {[number, number]}
 */
function placeIn(frame, event) {
  const box = frame.getBoundingClientRect();
  return [(event.clientX - box.left) / box.width, (event.clientY - box.top) / box.height];
}
