// The divider between two pictures in one frame: a slider.

/** @import { View } from "./view.js" */

/**
 * @param {HTMLElement} divider
 * @param {View} view
 */
export function listenToDivider(divider, view) {
  divider.addEventListener("keydown", (event) => {
    const step = event.shiftKey ? 0.1 : 0.02;
    /** @type {Record<string, number>} */
    const targets = {
      ...{ ArrowLeft: view.split - step, ArrowDown: view.split - step },
      ...{ ArrowRight: view.split + step, ArrowUp: view.split + step },
      ...{ PageDown: view.split - 0.1, PageUp: view.split + 0.1, Home: 0, End: 1 },
    };
    if (!(event.key in targets)) return;
    event.preventDefault();
    view.slide(targets[event.key]);
  });
}

/**
 * Tells assistive technology where the divider is.
 *
 * @param {HTMLElement} divider
 * @param {View} view
 * @param {string} label Of what is left of it.
 */
export function describeDivider(divider, view, label) {
  const percent = Math.round(100 * view.split);
  divider.setAttribute("aria-valuenow", String(percent));
  divider.setAttribute("aria-valuetext", `${label} on the left ${percent} %`);
}
