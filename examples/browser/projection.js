// The consistency projection, as src/srgan/numeric/projection.py has it: afterwards the result, scaled down, is the photo.

const ROUNDS = 8; // `consistency_rounds` in the metadata of the shipped models

/**
 * MATLAB's bicubic map from `source` to `target` samples, as indices and weights of every output sample.
 *
 * @param {number} source
 * @param {number} target
 */
function taps(source, target) {
  const scale = target / source;
  const shrink = Math.min(scale, 1); // the kernel is stretched against aliasing only when shrinking
  const count = Math.ceil(4 / shrink) + 1;
  return Array.from({ length: target }, (_, i) => {
    const centre = (i + 0.5) / scale - 0.5;
    const first = Math.ceil(centre - 2 / shrink);
    const weights = Array.from({ length: count }, (__, k) => cubic(shrink * (centre - first - k)));
    const sum = weights.reduce((a, b) => a + b);
    const indices = weights.map((__, k) => Math.min(Math.max(first + k, 0), source - 1));
    return { indices, weights: weights.map((weight) => weight / sum) };
  });
}

/** @param {number} distance */
function cubic(distance) {
  const x = Math.abs(distance);
  if (x <= 1) return 1.5 * x ** 3 - 2.5 * x ** 2 + 1;
  return x < 2 ? -0.5 * x ** 3 + 2.5 * x ** 2 - 4 * x + 2 : 0;
}

/**
 * Resizes the middle axis of `(outer, length, inner)` values to `target`.
 *
 * @param {Float32Array} values
 * @param {number} outer
 * @param {number} length
 * @param {number} inner
 * @param {number} target
 */
function resizeAxis(values, outer, length, inner, target) {
  const resized = new Float32Array(outer * target * inner);
  taps(length, target).forEach(({ indices, weights }, i) => {
    for (let o = 0; o < outer; o++) {
      const to = (o * target + i) * inner;
      for (let k = 0; k < weights.length; k++) {
        const from = (o * length + indices[k]) * inner;
        for (let j = 0; j < inner; j++) resized[to + j] += weights[k] * values[from + j];
      }
    }
  });
  return resized;
}

/**
 * Resizes RGB values of `(height, width, 3)`.
 *
 * @param {Float32Array} image
 * @param {number} height
 * @param {number} width
 * @param {number} toHeight
 * @param {number} toWidth
 */
function resize(image, height, width, toHeight, toWidth) {
  const rows = resizeAxis(image, 1, height, width * 3, toHeight);
  return resizeAxis(rows, toHeight, width, 3, toWidth);
}

/**
 * The lengths of the steps, of Chebyshev's polynomial; src/srgan/numeric/projection.py explains them.
 *
 * @param {number} rounds
 */
function steps(rounds) {
  const smallest = 0.22;
  const roots = Array.from({ length: rounds }, (_, k) => Math.cos(((2 * k + 1) * Math.PI) / (2 * rounds)));
  return roots.map((root) => 1 / (smallest + ((1 - smallest) * (1 + root)) / (1 + roots[0])));
}

/**
 * Moves `sr`, of `scale` times the height and width of `lr`, to the images that `lr` can have come from.
 *
 * @param {Float32Array} sr
 * @param {Float32Array} lr
 * @param {number} height
 * @param {number} width
 * @param {number} scale
 */
export function project(sr, lr, height, width, scale) {
  for (const step of steps(ROUNDS)) {
    const seen = resize(sr, height * scale, width * scale, height, width);
    const correction = resize(lr.map((value, i) => value - seen[i]), height, width, height * scale, width * scale);
    for (let i = 0; i < sr.length; i++) sr[i] += step * correction[i];
  }
}
