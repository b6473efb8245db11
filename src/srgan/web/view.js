// How far the pictures in one or more frames are enlarged, which part of them is seen, and where the
// divider between two of them is. `compare.css` obeys what this sets.

import { clamp } from "./dom.js";

const LARGEST_PIXEL = 16; // of the screen, for one of the picture

/**
 * Pixels of the screen for one of a picture that fills its frame.
 *
 * @param {Element} frame
 * @param {number} width Of the picture.
 */
export function fitScale(frame, width) {
  return ((frame.clientWidth || 1) * devicePixelRatio) / width;
}

export class View {
  left = 0; // of the frame, as a share of the picture; so is `top`
  top = 0;
  zoom = 1; // at which the picture fills the frame
  split = 0.5; // the share of the frame that is left of the divider

  /**
   * @param {object} of
   * @param {HTMLElement} of.root Holds the frames.
   * @param {HTMLElement} of.frame The one with the divider.
   * @param {() => number} of.width Of the picture, in pixels.
   * @param {boolean} [of.canShrink] Whether the picture can be smaller than its frame, down to 1:1.
   * @param {() => void} of.moved Called after each change of what is seen.
   * @param {() => void} of.slid Called after each change of the divider.
   */
  constructor({ root, frame, width, canShrink = false, moved, slid }) {
    this.root = root;
    this.frame = frame;
    this.width = width;
    this.canShrink = canShrink;
    this.moved = moved;
    this.slid = slid;
  }

  /** Pixels of the screen for one of the picture, at zoom 1. */
  get fit() {
    return fitScale(this.frame, this.width());
  }

  get least() {
    return this.canShrink ? Math.min(1, 1 / this.fit) : 1;
  }

  get most() {
    return Math.max(8, LARGEST_PIXEL / this.fit);
  }

  /**
   * Shows the part of the picture that begins there; never less of it than there is room for.
   *
   * @param {number} left
   * @param {number} top
   * @param {number} zoom
   */
  look(left, top, zoom) {
    this.zoom = clamp(zoom, this.least, this.most);
    const hidden = 1 - 1 / this.zoom;
    this.left = hidden < 0 ? hidden / 2 : clamp(left, 0, hidden);
    this.top = hidden < 0 ? hidden / 2 : clamp(top, 0, hidden);
    this.apply();
  }

  /**
   * Enlarges about a point of the frame, both coordinates from 0 to 1.
   *
   * @param {number} x
   * @param {number} y
   * @param {number} factor
   */
  zoomAt(x, y, factor) {
    const zoom = clamp(this.zoom * factor, this.least, this.most);
    this.look(this.left + x / this.zoom - x / zoom, this.top + y / this.zoom - y / zoom, zoom);
  }

  /** One change of three properties moves all frames. */
  apply() {
    this.root.style.setProperty("--left", String(this.left));
    this.root.style.setProperty("--top", String(this.top));
    this.root.style.setProperty("--zoom", String(this.zoom));
    this.root.classList.toggle("zoomed", this.zoom > 1);
    this.moved();
  }

  /** @param {number} split */
  slide(split) {
    this.split = clamp(split, 0, 1);
    this.frame.style.setProperty("--split", `${100 * this.split}%`);
    this.slid();
  }
}
