// The pictures that were given, and what was made of each.

/**
 * @typedef {object} Work What was made of a picture.
 * @property {string} key Of what was asked for.
 * @property {string} label For people.
 * @property {Blob} file
 * @property {Blob} [view] What a browser shows of it, where that was asked for.
 * @property {string} name To save it under.
 * @property {string} model
 * @property {Record<string, string>} query
 * @property {string} notes
 * @property {number} seconds
 * @property {"result" | "map"} kind
 *
 * @typedef {{ before: Blob, after: Blob, label: string, model: string, notes: string }} Preview
 *
 * @typedef {object} Picture
 * @property {File} file
 * @property {string} name Without a suffix.
 * @property {string} hr The address of the reference, or "".
 * @property {number} width In pixels; 0 as long as it is not known.
 * @property {number} height
 * @property {"new" | "waiting" | "working" | "done" | "failed"} state
 * @property {string} said What is to be told of the state.
 * @property {string} expected What `said` was when it told of the size.
 * @property {number} done From 0 to 1; 0 if nobody knows.
 * @property {Blob | null} view What a browser can show of it, once it is known.
 * @property {Preview | null} preview
 * @property {Work[]} works
 * @property {string} left What is shown left of the divider: "before", "hr", or the key of a work.
 * @property {string} right Likewise: "preview", or the key of a work.
 * @property {AbortController | null} running
 */

/** @type {Picture[]} */
export const pictures = [];

const chosen = { picture: /** @type {Picture | null} */ (null) };

export function current() {
  return chosen.picture;
}

/** @param {Picture | null} picture */
export function choose(picture) {
  chosen.picture = picture;
}

/**
 * @param {File} file
 * @param {string} hr The address of the reference, if there is one.
 * @returns {Picture}
 */
export function add(file, hr = "") {
  /** @type {Picture} */
  const picture = {
    ...{ file, hr, width: 0, height: 0, name: file.name.replace(/\.[^.]*$/, "") || "picture" },
    ...{ state: "new", said: "", expected: "", done: 0, view: null, preview: null, works: [] },
    ...{ left: "before", right: "preview", running: null },
  };
  pictures.push(picture);
  return picture;
}

/** @param {Picture} picture */
export function remove(picture) {
  picture.running?.abort();
  pictures.splice(pictures.indexOf(picture), 1);
  if (chosen.picture === picture) choose(pictures[0] ?? null);
}

/**
 * @param {Picture} picture
 * @param {string} key
 */
export function workOf(picture, key) {
  return picture.works.find((work) => work.key === key);
}

/**
 * The last result of each picture, under names that differ.
 *
 * @returns {{ name: string, file: Blob }[]}
 */
export function results() {
  /** @type {Map<string, Blob>} */
  const found = new Map();
  for (const { works } of pictures) {
    const last = works.findLast(({ kind }) => kind === "result");
    if (!last) continue;
    let { name } = last;
    for (let number = 2; found.has(name); number++) name = last.name.replace(/(?=\.[^.]*$)/, `-${number}`);
    found.set(name, last.file);
  }
  return [...found].map(([name, file]) => ({ name, file }));
}
