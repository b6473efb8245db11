// The consistency projection, as src/srgan/numeric/projection.py has it and explains it: afterwards
// the result, scaled down, is the photo.

import { after, mapped, taps } from "./resize.js";

const SMALLEST = 0.22;

/**
 * The lengths of the steps, of Chebyshev's polynomial.
 *
 * @param {number} rounds
 */
function steps(rounds) {
  const roots = Array.from({ length: rounds }, (_, k) => Math.cos(((2 * k + 1) * Math.PI) / (2 * rounds)));
  return roots.map((root) => 1 / (SMALLEST + ((1 - SMALLEST) * (1 + root)) / (1 + roots[0])));
}

/**
 * Moves `sr`, of `scale` times the height and width of `lr`, to the images that `lr` can have come from.
 *
 * With D and U the bicubic down- and upscale, and r = lr - D(sr), it adds U(s1 r1 + s2 r2 + ...), where
 * each r is the one before less s D(U(r)): all but the first and the last step are at the size of `lr`.
 *
 * @param {Float32Array} sr
 * @param {Float32Array} lr
 * @param {number} height
 * @param {number} width
 * @param {number} scale
 * @param {number} rounds
 */
export function project(sr, lr, height, width, scale, rounds) {
  const lengths = [height, width];
  const up = lengths.map((length) => taps(length, length * scale));
  const down = lengths.map((length) => taps(length * scale, length));
  const round = lengths.map((_, axis) => after(up[axis], down[axis]));
  const seen = mapped(sr, width * scale, down[0], down[1]);
  const residual = lr.map((value, i) => value - seen[i]);
  const correction = new Float32Array(lr.length);
  for (const step of steps(rounds)) {
    const move = residual.map((value) => step * value);
    const undone = mapped(move, width, round[0], round[1]);
    for (let i = 0; i < lr.length; i++) {
      correction[i] += move[i];
      residual[i] -= undone[i];
    }
  }
  const added = mapped(correction, width, up[0], up[1]);
  for (let i = 0; i < sr.length; i++) sr[i] += added[i];
}
