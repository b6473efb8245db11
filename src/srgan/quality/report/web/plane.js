// The perception-distortion plane: LPIPS against PSNR.

import { byId, clamp, draw, make } from "../../../web/dom.js";
import { curves, data, measureIndex, number, series } from "./data.js";
import { placeLabels } from "./labels.js";
import { format } from "./measures.js";

/**
 * @import { Dataset } from "./data.js"
 * @import { Bounds, Point } from "./labels.js"
 *
 * @typedef {{ ticks: number[], at: (value: number) => number, text: (value: number) => string }} Axis
 */

export function showPlane() {
  const host = byId("plane");
  const dataset = data.datasets[Number(byId("plane-dataset", HTMLSelectElement).value)];
  const scored = measured(dataset);
  if (!scored.length) {
    const text = `${dataset.name} has no HR (reference) to compare with, so there is nothing to plot.`;
    host.replaceChildren(make("p", { class: "note" }, text));
    return;
  }
  const width = Math.max(host.clientWidth, 280);
  const height = clamp(width * 0.6, 270, 480);
  const box = { left: 58, right: width - 18, top: 16, bottom: height - 46 };
  const x = axis(scored.map((one) => one.psnr), box.left, box.right);
  const y = axis(scored.map((one) => one.lpips), box.bottom, box.top);
  const points = scored.map((one) => ({ ...one, x: x.at(one.psnr), y: y.at(one.lpips) }));
  const hint = draw("text", { class: "hint", x: box.right - 8, y: box.bottom - 10, "text-anchor": "end" }, "better ↘");
  const svg = draw(
    "svg",
    {
      ...{ viewBox: `0 0 ${width} ${height}`, width, height, role: "img" },
      "aria-label": `LPIPS against PSNR on ${dataset.name}; the table above has the figures`,
    },
    drawGrid(x, y, box, height),
    hint,
    curves.map((curve) => drawCurve(points.filter((point) => point.method.curve === curve))),
    points.map(drawPoint),
  );
  host.replaceChildren(svg);
  placeLabels(svg, points, box, hint);
}

/** @param {Dataset} dataset */
function measured(dataset) {
  const [across, up] = [measureIndex("psnr"), measureIndex("lpips")];
  return data.methods
    .map((method, index) => {
      const scores = (dataset.means[method.name] ?? []).map(number);
      return { method, index, psnr: scores[across] ?? NaN, lpips: scores[up] ?? NaN };
    })
    .filter((point) => Number.isFinite(point.psnr) && Number.isFinite(point.lpips));
}

/**
 * A linear axis with about five round ticks, and room around the values.
 *
 * @param {number[]} values
 * @param {number} from
 * @param {number} to
 * @returns {Axis}
 */
function axis(values, from, to) {
  const [least, most] = [Math.min(...values), Math.max(...values)];
  const margin = (most - least) * 0.15 || Math.abs(most) * 0.05 || 1;
  const [low, high] = [least - margin, most + margin];
  const rough = (high - low) / (Math.abs(to - from) < 400 ? 4 : 6);
  const power = 10 ** Math.floor(Math.log10(rough));
  const step = [1, 2, 5].map((factor) => factor * power).find((size) => size >= rough) ?? 10 * power;
  const ticks = [];
  for (let k = Math.ceil(low / step); k * step <= high; k++) ticks.push(k * step);
  const decimals = Math.max(0, -Math.floor(Math.log10(step) + 1e-9));
  return {
    ticks,
    at: (value) => from + ((value - low) / (high - low)) * (to - from),
    text: (value) => value.toFixed(decimals),
  };
}

/**
 * The lines of the grid, and what is written beside them.
 *
 * @param {Axis} x
 * @param {Axis} y
 * @param {Bounds} box
 * @param {number} height
 */
function drawGrid(x, y, box, height) {
  const middle = (box.top + box.bottom) / 2;
  const centre = (box.left + box.right) / 2;
  return [
    ...x.ticks.flatMap((value) => [
      draw("line", { class: "grid", x1: x.at(value), x2: x.at(value), y1: box.top, y2: box.bottom }),
      draw("text", { x: x.at(value), y: box.bottom + 18, "text-anchor": "middle" }, x.text(value)),
    ]),
    ...y.ticks.flatMap((value) => [
      draw("line", { class: "grid", x1: box.left, x2: box.right, y1: y.at(value), y2: y.at(value) }),
      draw("text", { x: box.left - 8, y: y.at(value) + 4, "text-anchor": "end" }, y.text(value)),
    ]),
    draw("text", { class: "axis-name", x: centre, y: height - 8, "text-anchor": "middle" }, "PSNR, dB →"),
    draw("text", { class: "axis-name", "text-anchor": "middle", transform: `translate(14 ${middle}) rotate(-90)` }, "← LPIPS"),
  ];
}

/**
 * Joins the settings of one model.
 *
 * @param {Point[]} points
 */
function drawCurve(points) {
  if (points.length < 2) return null;
  const path = points.map((point) => `${point.x},${point.y}`).join(" ");
  return draw("polyline", { class: `curve ${series(points[0].index)}`, points: path });
}

/** @param {Point} point */
function drawPoint({ method, index, psnr, lpips, x, y }) {
  const [distortion, perception] = ["psnr", "lpips"].map((key) => data.measures[measureIndex(key)]);
  const text = `${method.name}: ${format(distortion, psnr)} dB, LPIPS ${format(perception, lpips)}`;
  return draw("circle", { class: `point ${series(index)}`, cx: x, cy: y, r: 6 }, draw("title", {}, text));
}
