// Whether one method is really better than another: intervals of their differences.

import { byId, draw, make, offer } from "../../../web/dom.js";
import { data, measureIndex, number } from "./data.js";
import { format, meaning, measureHeading } from "./measures.js";

/** @import { Difference, Measure, Pair, Verdict } from "./data.js" */

export function startDifferences() {
  byId("differences-part").hidden = !data.differences.length;
  if (!data.differences.length) return;
  /** @param {Pair} pair */
  const place = ({ dataset }) => (data.datasets.length > 1 ? ` on ${dataset}` : "");
  const names = pairs().map((pair) => `${pair.method} with ${pair.other}${place(pair)}`);
  const select = byId("pair", HTMLSelectElement);
  offer(select, [...names.entries()], 0);
  select.addEventListener("change", showDifferences);
  byId("judged").textContent = data.judged;
  showDifferences();
}

function showDifferences() {
  const { dataset, method, other } = pairs()[Number(byId("pair", HTMLSelectElement).value)];
  const rows = data.differences.filter(
    (row) => row.dataset === dataset && row.method === method && row.other === other,
  );
  byId("differences").replaceChildren(
    make("caption", {}, `${method} minus ${other} on ${dataset}`),
    make(
      "thead",
      {},
      make(
        "tr",
        {},
        ["Measure", "Verdict", "Difference", "95 % interval", "Photos", ""].map((text, k) =>
          make("th", { scope: "col", class: k < 2 ? "text" : null }, text),
        ),
      ),
    ),
    make("tbody", {}, rows.map(differenceRow)),
  );
}

/** @returns {Pair[]} */
function pairs() {
  const found = new Map();
  for (const { dataset, method, other } of data.differences) {
    found.set(JSON.stringify([dataset, method, other]), { dataset, method, other });
  }
  return [...found.values()];
}

/** @param {Difference} row */
function differenceRow(row) {
  const measure = data.measures[measureIndex(row.measure)];
  const [mean, low, high] = [row.mean, row.low, row.high].map(number);
  const way = verdict(measure, row.verdict);
  return make(
    "tr",
    {},
    make("th", { scope: "row", title: meaning(measure) }, measureHeading(measure)),
    make("td", { class: `verdict ${way.split(" ")[0]}` }, way),
    make("td", {}, format(measure, mean, true)),
    make("td", {}, Number.isNaN(low) ? "–" : `${format(measure, low, true)} to ${format(measure, high, true)}`),
    make("td", {}, String(row.photos)),
    make("td", { class: "plot" }, intervalPlot(mean, low, high, way)),
  );
}

/**
 * @param {Measure} measure
 * @param {Verdict} found
 */
function verdict(measure, found) {
  if (found !== "higher" && found !== "lower") return found;
  if (measure.better === "higher") return found === "higher" ? "better" : "worse";
  if (measure.better === "lower") return found === "higher" ? "worse" : "better";
  return found; // which of the two is closer to the aim, a difference cannot say
}

/**
 * @param {number} mean
 * @param {number} low
 * @param {number} high
 * @param {string} way
 */
function intervalPlot(mean, low, high, way) {
  const reach = Math.max(Math.abs(low), Math.abs(high)) * 1.1;
  if (!Number.isFinite(reach) || reach === 0) return null;
  /** @param {number} value */
  const x = (value) => 60 + (value / reach) * 56;
  return draw(
    "svg",
    { viewBox: "0 0 120 16", width: 120, height: 16, class: way.split(" ")[0], "aria-hidden": "true" },
    draw("line", { class: "axis", x1: 60, x2: 60, y1: 1, y2: 15 }),
    draw("line", { class: "interval", x1: x(low), x2: x(high), y1: 8, y2: 8 }),
    draw("circle", { class: "mean", cx: x(mean), cy: 8, r: 3.5 }),
  );
}
