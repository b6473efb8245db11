// MATLAB's bicubic along an axis, as src/srgan/numeric/resize.py has it.

/**
 * A linear map along one axis: output i is the sum of its weights times the values at its indices.
 *
 * @typedef {{ indices: number[], weights: number[] }[]} Taps
 */

/** @param {number} distance */
function cubic(distance) {
  const x = Math.abs(distance);
  if (x <= 1) return 1.5 * x ** 3 - 2.5 * x ** 2 + 1;
  return x < 2 ? -0.5 * x ** 3 + 2.5 * x ** 2 - 4 * x + 2 : 0;
}

/**
 * The bicubic map from `source` to `target` samples.
 *
 * @param {number} source
 * @param {number} target
 * @returns {Taps}
 */
export function taps(source, target) {
  const scale = target / source;
  const shrink = Math.min(scale, 1); // the kernel is stretched against aliasing only when shrinking
  const count = Math.ceil(4 / shrink) + 1;
  return Array.from({ length: target }, (_, i) => {
    const centre = (i + 0.5) / scale - 0.5;
    const first = Math.ceil(centre - 2 / shrink);
    const weights = Array.from({ length: count }, (__, k) => cubic(shrink * (centre - first - k)));
    const sum = weights.reduce((a, b) => a + b);
    return merged(weights.map((weight, k) => [Math.min(Math.max(first + k, 0), source - 1), weight / sum]));
  });
}

/**
 * One map after another.
 *
 * @param {Taps} first
 * @param {Taps} second
 * @returns {Taps}
 */
export function after(first, second) {
  return second.map(({ indices, weights }) =>
    merged(indices.flatMap((at, k) => first[at].indices.map((from, j) => [from, weights[k] * first[at].weights[j]]))),
  );
}

/**
 * Adds up what has the same index.
 *
 * @param {number[][]} pairs Indices and weights.
 */
function merged(pairs) {
  /** @type {Map<number, number>} */
  const sums = new Map();
  for (const [index, weight] of pairs) {
    if (weight) sums.set(index, (sums.get(index) ?? 0) + weight);
  }
  return { indices: [...sums.keys()], weights: [...sums.values()] };
}

/**
 * Maps RGB values of `(height, width, 3)` along their rows and columns.
 *
 * @param {Float32Array} image
 * @param {number} width
 * @param {Taps} rows
 * @param {Taps} columns
 */
export function mapped(image, width, rows, columns) {
  const across = 3 * width;
  const sums = new Float64Array(across);
  const result = new Float32Array(rows.length * columns.length * 3);
  rows.forEach(({ indices, weights }, y) => {
    sums.fill(0);
    for (let k = 0; k < weights.length; k++) {
      const [from, weight] = [indices[k] * across, weights[k]];
      for (let j = 0; j < across; j++) sums[j] += weight * image[from + j];
    }
    mapRow(sums, columns, result, y * columns.length * 3);
  });
  return result;
}

/**
 * @param {Float64Array} row
 * @param {Taps} columns
 * @param {Float32Array} result
 * @param {number} to
 */
function mapRow(row, columns, result, to) {
  for (const { indices, weights } of columns) {
    let [red, green, blue] = [0, 0, 0];
    for (let k = 0; k < weights.length; k++) {
      const [from, weight] = [3 * indices[k], weights[k]];
      red += weight * row[from];
      green += weight * row[from + 1];
      blue += weight * row[from + 2];
    }
    result[to++] = red;
    result[to++] = green;
    result[to++] = blue;
  }
}
