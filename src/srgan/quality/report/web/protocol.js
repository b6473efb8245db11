// How it was measured, and where the figures come from.

import { byId, make } from "../../../web/dom.js";
import { data } from "./data.js";
import { meaning, measureHeading } from "./measures.js";

/** @import { Tree } from "./data.js" */

export function showProtocol() {
  const usual = data.protocol === `y-crop${data.scale}`;
  const text = usual
    ? `LR is MATLAB's bicubic reduction of HR by ${data.scale}, if no note says otherwise. PSNR and SSIM are of the luma (BT.601), with ${data.scale} pixels left out at each edge; LPIPS is version 0.1 with AlexNet, on the whole picture in colour. Results are rounded to 8 bits before they are scored, unless they and HR have 16.`
    : "";
  byId("protocol-text").textContent = `Protocol ${data.protocol}. ${text}`;
  byId("measures").replaceChildren(
    ...data.measures.flatMap((measure) => [
      make("dt", {}, measureHeading(measure)),
      make("dd", {}, meaning(measure)),
    ]),
  );
  byId("provenance").replaceChildren(tree(data.provenance));
}

/**
 * @param {Tree} value
 * @returns {HTMLElement}
 */
function tree(value) {
  if (typeof value === "string") return make("span", { class: "leaf" }, value);
  if (Array.isArray(value)) return make("ul", {}, value.map((one) => make("li", {}, tree(one))));
  return make(
    "dl",
    {},
    Object.entries(value).flatMap(([key, one]) => [make("dt", {}, key), make("dd", {}, tree(one))]),
  );
}
