// What the page says, and how far the work is.

import { byId } from "../../web/dom.js";

/**
 * @param {string} text
 * @param {boolean} isBad
 */
export function say(text, isBad = false) {
  byId("status").textContent = text;
  byId("status").classList.toggle("bad", isBad);
}

/**
 * Says what went wrong, unless it is only that something else was asked for meanwhile.
 *
 * @param {unknown} error
 */
export function complain(error) {
  if (!(error instanceof Error)) say(String(error), true);
  else if (error.name !== "AbortError") say(error.message, true);
}

/** @param {number} done From 0 to 1; 0 if nobody knows. */
export function showProgress(done) {
  const progress = byId("progress", HTMLProgressElement);
  byId("working").hidden = false;
  if (done) progress.value = done;
  else progress.removeAttribute("value");
}

export function hideProgress() {
  byId("working").hidden = true;
}
