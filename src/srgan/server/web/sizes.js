// How large pictures are and will be.

import { foresee, wishes } from "./choices.js";
import { pictures } from "./pictures.js";
import { post, Refusal } from "./requests.js";

/** @import { Picture } from "./pictures.js" */

const chain = { measuring: Promise.resolve() };

/**
 * Asks how large a picture is that the browser does not show: one after another, as long as that is
 * not known otherwise.
 *
 * @param {Picture} picture
 * @param {() => void} changed
 */
export function measure(picture, changed) {
  chain.measuring = chain.measuring.then(async () => {
    if (!pictures.includes(picture) || picture.said || picture.width) return;
    try {
      const { width, height } = await post("preview", { side: "1", enlarge: "false" }, picture.file, new AbortController().signal);
      if (picture.said || picture.width) return;
      Object.assign(picture, { width, height });
      expect(picture);
    } catch (error) {
      if (!(error instanceof Refusal) || picture.said) return; // it is told when the picture is picked
      Object.assign(picture, { state: "failed", said: error.message });
    }
    changed();
  });
}

/**
 * Tells how large a picture will be, as far as its own size is known.
 *
 * @param {Picture} picture
 * @param {string} [model] That the service found for it.
 */
export function expect(picture, model) {
  const { model: chosen, scale = "" } = wishes();
  const likely = chosen || (scale === "2" ? "srgan-x2" : "");
  const { size, problem } = foresee(picture.width, picture.height, model ?? likely, scale);
  picture.expected = problem || size;
  Object.assign(picture, { state: problem ? "failed" : "new", said: picture.expected });
}
