// Which tiles a picture is cut into, as src/srgan/models/tiling.py has it: with a halo of all that a
// pixel of the result depends on, so that there are no seams.

/**
 * One tile along one axis: from `start` on is read, and what is between `first` and `end` is kept.
 *
 * @typedef {{ start: number, first: number, end: number }} Span
 *
 * @typedef {object} Cut
 * @property {number} height Of what is read for a tile.
 * @property {number} width
 * @property {Span[]} rows
 * @property {Span[]} columns
 */

const LEAST = 8; // pixels that a tile should keep, at least

/**
 * Cuts a length into tiles of one size; the last one is moved inwards, and keeps less.
 *
 * @param {number} length
 * @param {number} size
 * @param {number} halo
 * @returns {Span[]}
 */
function spans(length, size, halo) {
  const found = [];
  for (let first = 0; first < length; first = found[found.length - 1].end) {
    const start = Math.min(Math.max(first - halo, 0), Math.max(length - size, 0));
    found.push({ start, first, end: start + size >= length ? length : start + size - halo });
  }
  return found;
}

/**
 * What each of `count` tiles of equal size reads of a length.
 *
 * @param {number} length
 * @param {number} count
 * @param {number} halo
 */
const share = (length, count, halo) => Math.ceil((length + 2 * halo * (count - 1)) / count);

/**
 * How few tiles a length can be cut into.
 *
 * @param {number} length
 * @param {number} size That one may read.
 * @param {number} halo
 */
const fewest = (length, size, halo) => (length <= size ? 1 : Math.ceil((length - 2 * halo) / (size - 2 * halo)));

/**
 * The cut of the least work, of tiles that read `area` pixels at most.
 *
 * @param {number} height
 * @param {number} width
 * @param {number} halo
 * @param {number} area
 * @returns {Cut}
 */
export function plan(height, width, halo, area) {
  const least = 2 * halo + LEAST;
  let best = { work: Infinity, tall: Math.min(least, height), wide: Math.min(least, width) };
  for (let down = 1; ; down++) {
    const tall = share(height, down, halo);
    const most = Math.floor(area / tall);
    if (down > 1 && tall < least) break;
    if (most < Math.min(least, width)) continue;
    const across = fewest(width, most, halo);
    const wide = share(width, across, halo);
    const work = down * across * tall * wide;
    if (work < best.work) best = { work, tall, wide };
  }
  const { tall, wide } = best;
  return { height: tall, width: wide, rows: spans(height, tall, halo), columns: spans(width, wide, halo) };
}
