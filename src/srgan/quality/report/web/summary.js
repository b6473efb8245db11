// What is said about all images together: the first sentences, and the table of means.

import { byId, make } from "../../../web/dom.js";
import { curves, data, number } from "./data.js";
import { bests, format, meaning, measureHeading } from "./measures.js";
import { showPublished } from "./published.js";

/** @param {string[]} texts */
const list = (texts) => texts.join(", ").replace(/, ([^,]*)$/, " and $1");

/**
 * @param {number} count
 * @param {string} thing
 */
export const plural = (count, thing) => `${count} ${thing}${count === 1 ? "" : "s"}`;

export function showLede() {
  const kinds = data.datasets.map(({ name }) => {
    const count = data.cases.filter((one) => one.dataset === name).length;
    return `${name} (${plural(count, "image")})`;
  });
  const models = curves.map((curve) => {
    const settings = data.methods.filter((method) => method.curve === curve).length;
    return settings > 1 ? `${curve} (${settings} settings)` : curve;
  });
  byId("lede").textContent =
    `${list(models)} on ${list(kinds)}, enlarged ${data.scale} times; protocol ${data.protocol}.`;
}

export function showSummary() {
  const dataset = data.datasets[Number(byId("dataset", HTMLSelectElement).value)];
  /** @type {Record<string, number[]>} */
  const means = Object.fromEntries(
    Object.entries(dataset.means).map(([name, scores]) => [name, scores.map(number)]),
  );
  const scored = data.methods.filter((method) => method.name in means);
  const best = data.measures.map((measure, column) => {
    const values = scored.map((method) => means[method.name][column]);
    return bests(measure, values, means.HR?.[column]);
  });
  byId("means").replaceChildren(
    make("caption", {}, `Mean scores on ${dataset.name}, over ${plural(dataset.photos, "photo")} that all methods have`),
    make(
      "thead",
      {},
      make(
        "tr",
        {},
        make("th", { scope: "col" }, "Method"),
        data.measures.map((measure) =>
          make("th", { scope: "col", title: meaning(measure) }, measureHeading(measure)),
        ),
      ),
    ),
    make(
      "tbody",
      {},
      scored.map((method, position) =>
        meansRow(method.name, means[method.name], "", (column) => best[column][position]),
      ),
      means.HR ? meansRow("HR", means.HR, "reference", () => false) : null,
    ),
  );
  byId("notes").replaceChildren(...data.notes.map((text) => make("li", {}, text)));
  byId("in-short").textContent = dataset.headline;
  showPublished(dataset.name);
}

/**
 * @param {string} name
 * @param {number[]} scores
 * @param {string} note
 * @param {(column: number) => boolean} isBest
 */
function meansRow(name, scores, note, isBest) {
  return make(
    "tr",
    { class: note === "reference" ? "reference" : null },
    make("th", { scope: "row" }, name, note ? make("span", { class: "unit" }, ` ${note}`) : null),
    scores.map((value, column) =>
      make("td", { class: isBest(column) ? "best" : null }, format(data.measures[column], value)),
    ),
  );
}
