// The table of every image.

import { byId, make, offer } from "../../../web/dom.js";
import { caseTitle, data, number } from "./data.js";
import { format, meaning, measureHeading } from "./measures.js";
import { plural } from "./summary.js";
import { visit } from "./viewer.js";

/**
 * @typedef {object} Row
 * @property {number} index Of the image.
 * @property {number} m The method.
 * @property {number[] | null} scores
 * @property {string} error
 * @property {(string | number)[]} cells What the columns are sorted by.
 */

const sorting = { column: -1, descending: false };

export function startTable() {
  /** @type {[string | number, string][]} */
  const datasets = data.datasets.map(({ name }) => [name, name]);
  /** @type {[string | number, string][]} */
  const methods = data.methods.map(({ name }, m) => [m, name]);
  offer(byId("filter-dataset", HTMLSelectElement), [["", "all"], ...datasets], "");
  offer(byId("filter-method", HTMLSelectElement), [["", "all"], ...methods], "");
  for (const id of ["filter-dataset", "filter-method"]) byId(id).addEventListener("change", showTable);
  byId("scores").replaceChildren(
    make("caption", {}, "Scores of every image"),
    make("thead", {}, make("tr", {}, headings())),
    make("tbody"),
  );
  showTable();
}

function headings() {
  const all = [
    { content: ["Image"], title: "Dataset and name" },
    { content: ["Method"], title: "" },
    ...data.measures.map((one) => ({ content: measureHeading(one), title: meaning(one) })),
  ];
  return all.map(({ content, title }, column) =>
    make(
      "th",
      { scope: "col", title, class: column < 2 ? "text" : null },
      make("button", { type: "button", onclick: () => sort(column) }, content),
    ),
  );
}

/** @param {number} column */
function sort(column) {
  sorting.descending = sorting.column === column && !sorting.descending;
  sorting.column = column;
  showTable();
}

/** @returns {Row[]} */
function tableRows() {
  const dataset = byId("filter-dataset", HTMLSelectElement).value;
  const method = byId("filter-method", HTMLSelectElement).value;
  const rows = data.cases.flatMap((one, index) => {
    if (dataset && one.dataset !== dataset) return [];
    return data.methods.flatMap(({ name }, m) => {
      if (method && Number(method) !== m) return [];
      const scores = one.scores[m]?.map(number) ?? null;
      const cells = [caseTitle(index), name, ...(scores ?? data.measures.map(() => NaN))];
      return [{ index, m, scores, error: one.errors[m], cells }];
    });
  });
  const { column, descending } = sorting;
  if (column < 0) return rows;
  return rows.sort((one, two) => {
    const [a, b] = [one.cells[column], two.cells[column]];
    // What has no value comes last, either way.
    if (Number.isNaN(a) || Number.isNaN(b)) return Number(Number.isNaN(a)) - Number(Number.isNaN(b));
    return descending ? compare(b, a) : compare(a, b);
  });
}

/**
 * @param {string | number} a
 * @param {string | number} b
 */
function compare(a, b) {
  if (typeof a === "number" && typeof b === "number") return a - b || 0;
  return String(a).localeCompare(String(b), "en", { numeric: true });
}

function showTable() {
  const rows = tableRows();
  byId("row-count").textContent =
    `${plural(rows.length, "result")}. A heading sorts; an image's name opens it above.`;
  byId("scores").querySelector("tbody")?.replaceChildren(...rows.map(tableRow));
  byId("scores")
    .querySelectorAll("thead th")
    .forEach((cell, column) => {
      const way = sorting.descending ? "descending" : "ascending";
      cell.setAttribute("aria-sort", column === sorting.column ? way : "none");
    });
}

/** @param {Row} row */
function tableRow(row) {
  const name = make(
    "button",
    { type: "button", class: "link", onclick: () => visit(row.index, row.m) },
    caseTitle(row.index),
  );
  const cells = row.scores
    ? row.scores.map((value, column) => {
        const measure = data.measures[column];
        const title = data.cases[row.index].reasons[row.m][measure.key] ?? null;
        return make("td", { title }, format(measure, value));
      })
    : make("td", { colspan: data.measures.length, class: "error" }, row.error);
  return make(
    "tr",
    {},
    make("th", { scope: "row" }, name),
    make("td", { class: "text" }, data.methods[row.m].name),
    cells,
  );
}
