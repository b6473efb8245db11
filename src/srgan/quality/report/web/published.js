// What papers say, apart from what was measured.

import { byId, make } from "../../../web/dom.js";
import { data, measureIndex } from "./data.js";
import { withUnit } from "./measures.js";

/**
 * @import { Figure } from "./data.js"
 */

/** @param {string} dataset */
export function showPublished(dataset) {
  byId("published-part").hidden = !data.published;
  if (!data.published) return;
  const own = data.published.figures.filter(
    (one) => one.dataset.toLowerCase() === dataset.toLowerCase(),
  );
  const compared = own.filter((one) => !one.objection);
  const apart = own.filter((one) => one.objection);
  byId("published-title").textContent = own.length
    ? `${data.published.title}. Nothing in this table was measured here.`
    : `${data.published.title}: none of ${dataset} at this scale.`;
  byId("published").replaceChildren(
    ...(own.length ? [make("thead", {}, make("tr", {}, publishedHeadings()))] : []),
    ...publishedGroup("These compare with the means above", compared),
    ...publishedGroup("These do not compare", apart),
  );
}

const publishedHeadings = () =>
  ["Method", "Measure", "Published", "Why it does not compare", "Source"].map((text) =>
    make("th", { scope: "col", class: "text" }, text),
  );

/**
 * @param {string} title
 * @param {Figure[]} figures
 */
function publishedGroup(title, figures) {
  if (!figures.length) return [];
  const heading = make("th", { scope: "rowgroup", colspan: 5, class: "text" }, title);
  return [make("tbody", {}, make("tr", { class: "group" }, heading), figures.map(publishedRow))];
}

/** @param {Figure} figure */
function publishedRow(figure) {
  const measure = data.measures[measureIndex(figure.measure)];
  const size = figure.parameters ? ` (${figure.parameters})` : "";
  const texts = [
    measure.label,
    withUnit(measure, figure.text),
    figure.objection,
    figure.source,
  ];
  return make(
    "tr",
    {},
    make("th", { scope: "row" }, figure.method + size),
    texts.map((text) => make("td", { class: "text" }, text)),
  );
}
