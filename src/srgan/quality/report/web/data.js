// What the report is about: the data that the page holds.

import { byId } from "../../../web/dom.js";

/**
 * A number as JSON has it: null is NaN, and infinity a text.
 * @typedef {number | string | null} Value
 *
 * @typedef {"higher" | "lower" | "zero" | "one" | "hr"} Better
 * @typedef {{ key: string, label: string, unit: string, digits: number, better: Better, meaning: string }} Measure
 *
 * @typedef {{ name: string, curve: string }} Method
 * @typedef {{ name: string, photos: number, means: Record<string, Value[]>, headline: string }} Dataset
 *
 * @typedef {{ dataset: string, method: string, other: string }} Pair
 * @typedef {"higher" | "lower" | "no difference shown" | "too few photos to tell"} Verdict
 * @typedef {Pair & { measure: string, photos: number, mean: Value, low: Value, high: Value, p: Value, verdict: Verdict }} Difference
 *
 * Top, left, height and width, in pixels.
 * @typedef {[number, number, number, number]} Region
 *
 * One image; pictures are numbers of elements, and lists have an entry for each method.
 * @typedef {object} Case
 * @property {string} dataset
 * @property {string} name
 * @property {number} height
 * @property {number} width
 * @property {Region} region That is shown.
 * @property {number | null} quality Of WebP; null is without loss.
 * @property {number} thumbnail
 * @property {number} lr
 * @property {number | null} hr
 * @property {(number | null)[]} sr
 * @property {(number | null)[]} maps Of overshoot.
 * @property {(Value[] | null)[]} scores
 * @property {string[]} errors
 * @property {Record<string, string>[]} reasons Why measures do not apply.
 *
 * @typedef {object} Crop
 * @property {number} case
 * @property {number} method
 * @property {string} measure
 * @property {Region} region
 * @property {Value} value
 * @property {Value} hr What HR has there, if that matters.
 * @property {"worst" | "best"} kind
 *
 * A published figure, and why it does not compare with the measured ones, or "".
 * @typedef {{ method: string, parameters: string | null, dataset: string, source: string, measure: string, value: number, text: string, objection: string }} Figure
 *
 * @typedef {string | Tree[] | { [key: string]: Tree }} Tree
 *
 * @typedef {object} Data
 * @property {string} protocol
 * @property {number} scale
 * @property {Measure[]} measures
 * @property {Method[]} methods
 * @property {Dataset[]} datasets
 * @property {Difference[]} differences
 * @property {string[]} notes What one must know to read the means.
 * @property {string} judged How differences were.
 * @property {Case[]} cases
 * @property {{ measures: Measure[], chosen: Crop[], worst: Record<number, string> }} crops
 *   `worst` is the artifact in which each method is worst.
 * @property {{ title: string, figures: Figure[] } | null} published What papers say.
 * @property {number} overshoot_peak
 * @property {Tree} provenance
 */

/** @type {Data} */
export const data = JSON.parse(byId("data", HTMLScriptElement).text);

/** Models; each has one or more methods, its settings. */
export const curves = [...new Set(data.methods.map((method) => method.curve))];

/** @param {string} key */
export const measureIndex = (key) => data.measures.findIndex((measure) => measure.key === key);

/** @param {string} name */
export const methodIndex = (name) => data.methods.findIndex((method) => method.name === name);

/**
 * The class of the colour of a method.
 *
 * @param {number} method
 */
export const series = (method) => `series-${curves.indexOf(data.methods[method].curve) % 7}`;

/** @param {number} index */
export const caseTitle = (index) => `${data.cases[index].dataset} / ${data.cases[index].name}`;

/** @param {Value | undefined} value */
export function number(value) {
  if (value === null || value === undefined) return NaN;
  return typeof value === "number" ? value : value === "-inf" ? -Infinity : Infinity;
}
