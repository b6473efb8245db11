// ZIP files, whose entries are pictures and so not compressed again.

const TABLE = Uint32Array.from({ length: 256 }, (_, byte) => {
  let value = byte;
  for (let bit = 0; bit < 8; bit++) value = value & 1 ? (value >>> 1) ^ 0xedb88320 : value >>> 1;
  return value;
});

/** @param {Uint8Array} data */
function crc32(data) {
  let value = 0xffffffff;
  for (const byte of data) value = TABLE[(value ^ byte) & 255] ^ (value >>> 8);
  return ~value >>> 0;
}

/**
 * Numbers as a header has them, the lowest byte first.
 *
 * @param {[number, number][]} fields Bytes and value of each.
 */
function header(fields) {
  return Uint8Array.from(
    fields.flatMap(([bytes, value]) => Array.from({ length: bytes }, (_, n) => (value >>> (8 * n)) & 255)),
  );
}

/**
 * @param {{ name: string, file: Blob }[]} entries Whose names differ; all together below 4 GB.
 * @returns {Promise<Blob>}
 */
export async function zip(entries) {
  const UTF8 = 0x800;
  /** @type {BlobPart[]} */
  const parts = [];
  /** @type {BlobPart[]} */
  const list = [];
  let [offset, size] = [0, 0];
  for (const { name, file } of entries) {
    const path = new TextEncoder().encode(name);
    const crc = crc32(new Uint8Array(await file.arrayBuffer()));
    /** @type {[number, number][]} */
    const facts = [[2, 20], [2, UTF8], [2, 0], [2, 0], [2, 0x21], [4, crc], [4, file.size], [4, file.size], [2, path.length], [2, 0]];
    parts.push(header([[4, 0x04034b50], ...facts]), path, file);
    list.push(header([[4, 0x02014b50], [2, 20], ...facts, [2, 0], [2, 0], [2, 0], [4, 0], [4, offset]]), path);
    offset += 30 + path.length + file.size;
    size += 46 + path.length;
  }
  const count = entries.length;
  const end = header([[4, 0x06054b50], [2, 0], [2, 0], [2, count], [2, count], [4, size], [4, offset], [2, 0]]);
  return new Blob([...parts, ...list, end], { type: "application/zip" });
}
