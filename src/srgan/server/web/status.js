// What the page says.

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
 * Tells those who hear the page what others see.
 *
 * @param {string} text
 */
export function tell(text) {
  byId("told").textContent = text;
}

/**
 * What went wrong, for people; "" if it is only that it was cancelled.
 *
 * @param {unknown} error
 */
export function reason(error) {
  if (!(error instanceof Error)) return String(error);
  return error.name === "AbortError" ? "" : error.message;
}

/** @param {unknown} error */
export function complain(error) {
  const text = reason(error);
  if (text) say(text, true);
}
