// The row of thumbnails, from which an image is chosen.

import { buttonsOf, byId, clamp, make } from "../../../web/dom.js";
import { caseTitle, data } from "./data.js";
import { image, whenNear } from "./pictures.js";

const calm = matchMedia("(prefers-reduced-motion: reduce)");

/** How the page scrolls to what is asked for. */
export const scrolling = () => (calm.matches ? "auto" : "smooth");

/** @param {(index: number) => void} show Shows an image. */
export function startStrip(show) {
  const strip = byId("strip");
  data.cases.forEach((one, index) => {
    if (index === 0 || one.dataset !== data.cases[index - 1].dataset) {
      strip.append(make("span", { class: "kicker" }, one.dataset));
    }
    const button = make("button", {
      ...{ type: "button", title: caseTitle(index), "aria-label": caseTitle(index) },
      ...{ "data-index": index, onclick: () => show(index) },
    });
    button.style.setProperty("--shape", String(one.width / one.height));
    strip.append(button);
    whenNear(button, () => button.append(image(one.thumbnail)));
  });
  strip.addEventListener("keydown", (event) => {
    const step = { ArrowLeft: -1, ArrowRight: 1 }[event.key];
    if (!step) return;
    event.preventDefault();
    const buttons = buttonsOf("strip");
    const current = buttons.findIndex((button) => button.getAttribute("aria-current") === "true");
    const next = clamp(current + step, 0, buttons.length - 1);
    show(next);
    buttons[next].focus({ preventScroll: true });
  });
}

/** @param {number} index Of the image that is shown. */
export function markInStrip(index) {
  for (const button of buttonsOf("strip")) {
    const isShown = Number(button.dataset.index) === index;
    button.setAttribute("aria-current", String(isShown));
    button.tabIndex = isShown ? 0 : -1; // one stop for the tab key; the arrows do the rest
    if (isShown) centre(byId("strip"), button);
  }
}

/**
 * @param {HTMLElement} scroller
 * @param {HTMLElement} element
 */
function centre(scroller, element) {
  const left = element.offsetLeft - (scroller.clientWidth - element.offsetWidth) / 2;
  scroller.scrollTo({ left, behavior: scrolling() });
}
