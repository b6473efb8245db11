// Clipping to [0, 1] that keeps the brightness, as src/srgan/numeric/clipping.py has it and explains it.

const CHANNELS = 3;
const UNHEARD = 0.5 / 255;

/**
 * The mean of each block of `scale` x `scale` pixels, `(height, width, 3)`.
 *
 * @param {Float32Array} sr
 * @param {number} height In blocks.
 * @param {number} width
 * @param {number} scale
 * @param {boolean} isLost Whether of what clipping takes away, rather than of what it leaves.
 */
function blocks(sr, height, width, scale, isLost) {
  const means = new Float32Array(height * width * CHANNELS);
  let at = 0;
  for (let y = 0; y < height * scale; y++) {
    let block = Math.floor(y / scale) * width * CHANNELS;
    for (let x = 0; x < width; x++, block += CHANNELS) {
      for (let i = 0; i < scale; i++) {
        for (let c = 0; c < CHANNELS; c++, at++) {
          const value = sr[at];
          const clipped = value < 0 ? 0 : value > 1 ? 1 : value;
          means[block + c] += isLost ? value - clipped : clipped;
        }
      }
    }
  }
  return means.map((sum) => sum / scale ** 2);
}

/**
 * [1 2 1] / 4 along both axes.
 *
 * @param {Float32Array} image
 * @param {number} height
 * @param {number} width
 */
function smooth(image, height, width) {
  const [tall, done] = [new Float32Array(image.length), new Float32Array(image.length)];
  const across = width * CHANNELS;
  for (let y = 0; y < height; y++) {
    const [above, here, below] = [Math.max(y - 1, 0), y, Math.min(y + 1, height - 1)].map((row) => row * across);
    for (let i = 0; i < across; i++) tall[here + i] = (image[above + i] + 2 * image[here + i] + image[below + i]) / 4;
  }
  for (let y = 0; y < height; y++) {
    for (let x = 0; x < width; x++) {
      const [left, here, right] = [Math.max(x - 1, 0), x, Math.min(x + 1, width - 1)].map((column) => y * across + column * CHANNELS);
      for (let c = 0; c < CHANNELS; c++) done[here + c] = (tall[left + c] + 2 * tall[here + c] + tall[right + c]) / 4;
    }
  }
  return done;
}

/**
 * Where each of `scale * length` samples is between the centres of the blocks.
 *
 * @param {number} length
 * @param {number} scale
 */
function places(length, scale) {
  return Array.from({ length: length * scale }, (_, i) => {
    const place = Math.min(Math.max((i + 0.5) / scale - 0.5, 0), length - 1);
    const below = Math.floor(place);
    return { below, above: Math.min(below + 1, length - 1), weight: place - below };
  });
}

/**
 * Moves samples towards white or black by a share of their room, interpolated between blocks.
 *
 * @param {Float32Array} sr
 * @param {Float32Array} share
 * @param {number} height
 * @param {number} width
 * @param {number} scale
 * @param {boolean} isLighter
 */
function move(sr, share, height, width, scale, isLighter) {
  const [columns, across] = [places(width, scale), width * CHANNELS];
  const row = new Float32Array(across);
  let at = 0;
  for (const y of places(height, scale)) {
    const [top, bottom] = [y.below * across, y.above * across];
    for (let i = 0; i < across; i++) row[i] = share[top + i] * (1 - y.weight) + share[bottom + i] * y.weight;
    if (!row.some(Boolean)) {
      at += across * scale;
      continue;
    }
    for (const { below, above, weight } of columns) {
      for (let c = 0; c < CHANNELS; c++, at++) {
        const part = row[below * CHANNELS + c] * (1 - weight) + row[above * CHANNELS + c] * weight;
        sr[at] += isLighter ? part * (1 - sr[at]) : -part * sr[at];
      }
    }
  }
}

/**
 * Clips an image to [0, 1], and moves what that takes to the pixels around.
 *
 * @param {Float32Array} sr `(scale * height, scale * width, 3)`.
 * @param {number} height
 * @param {number} width
 * @param {number} scale
 */
export function clip(sr, height, width, scale) {
  const lost = smooth(blocks(sr, height, width, scale, true), height, width)
    .map((value) => Math.sign(value) * Math.max(Math.abs(value) - UNHEARD, 0));
  const mean = smooth(blocks(sr, height, width, scale, false), height, width);
  for (let i = 0; i < sr.length; i++) sr[i] = Math.min(Math.max(sr[i], 0), 1);
  for (const isLighter of [true, false]) {
    const share = lost.map((value, i) => {
      const room = isLighter ? 1 - mean[i] : mean[i];
      return Math.min(Math.max(isLighter ? value : -value, 0) / Math.max(room, 1e-3), 1);
    });
    if (share.some(Boolean)) move(sr, share, height, width, scale, isLighter);
  }
}
