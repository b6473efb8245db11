// Values as texts, and which of them are the best.

import { make } from "../../../web/dom.js";

/** @import { Measure } from "./data.js" */

const ARROWS = { higher: "↑", lower: "↓", zero: "→ 0", one: "→ 1", hr: "→ HR" };
const WAYS = {
  higher: "Higher is better.",
  lower: "Lower is better.",
  zero: "Closest to 0 is best.",
  one: "Closest to 1 is best.",
  hr: "Closest to HR's value is best.",
};

/**
 * @param {Measure} measure
 * @param {number} value
 * @param {boolean} signed Whether positive values have a sign, too.
 */
export function format(measure, value, signed = false) {
  if (Number.isNaN(value)) return "–";
  const text = Number.isFinite(value) ? Math.abs(value).toFixed(measure.digits) : "∞";
  const zero = Number(text) === 0;
  return (value < 0 && !zero ? "−" : signed && !zero ? "+" : "") + text;
}

/**
 * @param {Measure} measure
 * @param {string} text
 */
export const withUnit = (measure, text) => (measure.unit ? `${text} ${measure.unit}` : text);

/** @param {Measure} measure */
export const meaning = (measure) => `${measure.meaning} ${WAYS[measure.better]}`;

/** @param {Measure} measure */
export function measureHeading(measure) {
  return [
    measure.label,
    make("span", { class: "way" }, ` ${ARROWS[measure.better]}`),
    measure.unit ? make("span", { class: "unit" }, ` ${measure.unit}`) : null,
  ];
}

/**
 * How far from the best a value is; NaN where nothing says what would be better.
 *
 * @param {Measure} measure
 * @param {number} value
 * @param {number} hr What the reference itself has.
 */
function shortfall(measure, value, hr) {
  if (measure.better === "higher") return -value;
  if (measure.better === "lower") return value;
  return Math.abs(value - { zero: 0, one: 1, hr }[measure.better]);
}

/**
 * The place of the best of several values, or -1 if fewer than two are known.
 *
 * @param {Measure} measure
 * @param {number[]} values
 * @param {number} hr What the reference itself has.
 */
function bestOf(measure, values, hr) {
  const lacks = values.map((value) => shortfall(measure, value, hr));
  const known = lacks.filter((lack) => !Number.isNaN(lack));
  return known.length < 2 ? -1 : lacks.indexOf(Math.min(...known));
}

/**
 * Which values read like the best one does.
 *
 * @param {Measure} measure
 * @param {number[]} values
 * @param {number} hr What the reference itself has.
 */
export function bests(measure, values, hr = NaN) {
  const best = bestOf(measure, values, hr);
  return values.map((value) => best >= 0 && format(measure, value) === format(measure, values[best]));
}
