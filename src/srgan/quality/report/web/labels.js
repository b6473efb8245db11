// Labels of the points of a drawing, where they cover least.

import { clamp, draw } from "../../../web/dom.js";
import { curves, series } from "./data.js";

/**
 * @import { Method } from "./data.js"
 *
 * @typedef {{ x: number, y: number, width: number, height: number }} Box
 * @typedef {{ left: number, right: number, top: number, bottom: number }} Bounds
 * @typedef {{ method: Method, index: number, psnr: number, lpips: number, x: number, y: number }} Point
 */

/**
 * Puts each label at the place around its point that covers least of what is there already.
 *
 * @param {SVGSVGElement} svg
 * @param {Point[]} points
 * @param {Bounds} bounds
 * @param {SVGTextElement} hint Is there already.
 */
export function placeLabels(svg, points, bounds, hint) {
  const taken = points.map((point) => ({ x: point.x - 8, y: point.y - 8, width: 16, height: 16 }));
  taken.push(hint.getBBox(), ...alongCurves(points));
  for (const point of points) {
    const label = draw("text", { class: `label ${series(point.index)}` }, shortName(point, points));
    svg.append(label);
    const { width, height } = label.getBBox();
    const best = places(point, width, height)
      .map((one) => ({ ...one, cost: one.cost + costOf(one.box, taken, bounds) }))
      .reduce((a, b) => (b.cost < a.cost ? b : a));
    const { x, y } = best.box;
    taken.push(best.box);
    label.setAttribute("x", String(x));
    label.setAttribute("y", String(y + height * 0.78)); // the baseline of what getBBox measured
    if (best.distance > 22) {
      const end = { x2: clamp(point.x, x, x + width), y2: clamp(point.y, y, y + height) };
      svg.append(draw("line", { class: "leader", x1: point.x, y1: point.y, ...end }));
    }
  }
}

/**
 * Small boxes along the lines that join the settings of one model.
 *
 * @param {Point[]} points
 */
function alongCurves(points) {
  const boxes = [];
  for (const curve of curves) {
    const own = points.filter((point) => point.method.curve === curve);
    for (let k = 1; k < own.length; k++) {
      for (let t = 0; t <= 1; t += 0.05) {
        /** @param {"x" | "y"} key */
        const at = (key) => own[k - 1][key] + t * (own[k][key] - own[k - 1][key]);
        boxes.push({ x: at("x") - 2, y: at("y") - 2, width: 4, height: 4 });
      }
    }
  }
  return boxes;
}

/**
 * Of the settings of one model, only the last has its name.
 *
 * @param {Point} point
 * @param {Point[]} points
 */
function shortName(point, points) {
  const { name, curve } = point.method;
  const own = points.filter((other) => other.method.curve === curve);
  const rest = name.startsWith(curve) ? name.slice(curve.length).replace(/^[\s@:=]+/, "") : name;
  return own.length > 1 && point !== own[own.length - 1] && rest ? rest : name;
}

/**
 * Where a label can be, and how bad that is in itself: far is worse than near, left than right.
 *
 * @param {Point} point
 * @param {number} width
 * @param {number} height
 */
function places(point, width, height) {
  return [11, 22, 36, 54].flatMap((distance) =>
    Array.from({ length: 16 }, (_, turn) => {
      const angle = (turn * Math.PI) / 8;
      const [dx, dy] = [Math.cos(angle), Math.sin(angle)];
      const x = point.x + dx * distance + ((dx - 1) * width) / 2;
      const y = point.y + dy * distance + ((dy - 1) * height) / 2;
      const cost = distance / 4 + (Math.abs(dy) > 0.01 ? 1 : 0) + (dx < 0 ? 1 : 0);
      return { box: { x, y, width, height }, distance, cost };
    }),
  );
}

/**
 * @param {Box} box
 * @param {Box[]} taken
 * @param {Bounds} bounds
 */
function costOf(box, taken, bounds) {
  const outside =
    box.x < bounds.left ||
    box.x + box.width > bounds.right ||
    box.y < bounds.top ||
    box.y + box.height > bounds.bottom;
  return taken.reduce((sum, other) => sum + overlap(box, other), 0) + (outside ? 1e5 : 0);
}

/**
 * @param {Box} a
 * @param {Box} b
 */
function overlap(a, b) {
  const across = Math.min(a.x + a.width, b.x + b.width) - Math.max(a.x, b.x);
  const down = Math.min(a.y + a.height, b.y + b.height) - Math.max(a.y, b.y);
  return Math.max(across, 0) * Math.max(down, 0);
}
