// Many files as one: a ZIP archive, in which they are stored as they are, since pictures are compressed.

const CRC_TABLE = Uint32Array.from({ length: 256 }, (_, byte) => {
  let crc = byte;
  for (let bit = 0; bit < 8; bit++) crc = (crc >>> 1) ^ (crc & 1 ? 0xedb88320 : 0);
  return crc;
});

/** @param {Uint8Array} data */
function crc32(data) {
  let crc = -1;
  for (const byte of data) crc = (crc >>> 8) ^ CRC_TABLE[(crc ^ byte) & 255];
  return ~crc >>> 0;
}

/**
 * Numbers one after another, least byte first.
 *
 * @param {...[number, 2 | 4]} numbers Each with its size in bytes.
 */
function pack(...numbers) {
  return Uint8Array.from(numbers.flatMap(([value, size]) => Array.from({ length: size }, (_, at) => value >>> (8 * at))));
}

/**
 * @param {{ name: string, file: Blob }[]} files Of names that differ, smaller than 4 GB together.
 * @returns {Promise<Blob>}
 */
export async function archive(files) {
  const [parts, entries] = [/** @type {BlobPart[]} */ ([]), /** @type {BlobPart[]} */ ([])];
  let [offset, listed] = [0, 0];
  for (const { name, file } of files) {
    const title = new TextEncoder().encode(name);
    const crc = crc32(new Uint8Array(await file.arrayBuffer()));
    // Names are UTF-8 (bit 11), nothing is compressed (0), and the time is 1980-01-01.
    const about = pack([20, 2], [0x800, 2], [0, 2], [0, 2], [33, 2], [crc, 4], [file.size, 4], [file.size, 4], [title.length, 2], [0, 2]);
    parts.push(pack([0x04034b50, 4]), about, title, file);
    entries.push(pack([0x02014b50, 4], [20, 2]), about, pack([0, 2], [0, 2], [0, 2], [0, 4], [offset, 4]), title);
    offset += 4 + about.length + title.length + file.size;
    listed += 6 + about.length + 14 + title.length;
  }
  const end = pack([0x06054b50, 4], [0, 2], [0, 2], [files.length, 2], [files.length, 2], [listed, 4], [offset, 4], [0, 2]);
  return new Blob([...parts, ...entries, end], { type: "application/zip" });
}
