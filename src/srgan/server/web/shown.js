// Files that the page shows.

/** @type {Map<Element, string>} */
const addresses = new Map();

/**
 * The address of a file, in place of that of the one before.
 *
 * @param {Element} element That it is for.
 * @param {Blob} file
 */
export function addressOf(element, file) {
  URL.revokeObjectURL(addresses.get(element) ?? "");
  const address = URL.createObjectURL(file);
  addresses.set(element, address);
  return address;
}

/**
 * Has an image show a file.
 *
 * @param {HTMLImageElement} image
 * @param {Blob | string} file Or its address.
 * @throws {Error} If the browser does not know its format.
 */
export function show(image, file) {
  image.src = file instanceof Blob ? addressOf(image, file) : file;
  return image.decode();
}
