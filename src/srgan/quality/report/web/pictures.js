// The pictures that the page holds, each decoded when it is first shown, so that a hundred photos do
// not fill the memory.

import { byId, make } from "../../../web/dom.js";

/** @import { Attributes } from "../../../web/dom.js" */

/** @type {Map<number, Blob>} */
const blobs = new Map();

/** @type {Map<number, string>} */
const addresses = new Map();

/** @param {number} picture */
export function blob(picture) {
  const known = blobs.get(picture);
  if (known) return known;
  const [head, body] = byId(`picture-${picture}`, HTMLScriptElement).text.split(",");
  const bytes = Uint8Array.from(atob(body), (character) => character.charCodeAt(0));
  const made = new Blob([bytes], { type: head.slice(5, head.indexOf(";")) });
  blobs.set(picture, made);
  return made;
}

/**
 * @param {number} picture
 * @param {Attributes} attributes
 */
export function image(picture, attributes = {}) {
  const address = addresses.get(picture) ?? URL.createObjectURL(blob(picture));
  addresses.set(picture, address);
  return make("img", { src: address, alt: "", draggable: "false", ...attributes });
}

/** @type {Map<Element, () => void>} */
const waiting = new Map();

const nearby = new IntersectionObserver(
  (entries) => {
    for (const { target, isIntersecting } of entries) {
      if (!isIntersecting) continue;
      nearby.unobserve(target);
      waiting.get(target)?.();
      waiting.delete(target);
    }
  },
  { rootMargin: "300px" },
);

/**
 * Calls `show` once the element comes near to what is seen.
 *
 * @param {Element} element
 * @param {() => void} show
 */
export function whenNear(element, show) {
  waiting.set(element, show);
  nearby.observe(element);
}
